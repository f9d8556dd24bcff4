package page

import (
	"context"
	"sync"

	"github.com/chromedp/chromedp"
)

// console keeps what a page complained about.
type console struct {
	mu       sync.Mutex
	messages []string
}

// listen keeps errors and warnings, refusals by the content security policy among
// them, until the context ends.
func (c *console) listen(ctx context.Context) {
	for message, err := range chromedp.Console(ctx) {
		if err != nil {
			return
		}
		switch message.Type {
		case chromedp.ConsoleError, chromedp.ConsoleWarning, chromedp.ConsoleException:
			c.mu.Lock()
			c.messages = append(c.messages, message.Text)
			c.mu.Unlock()
		default: // ordinary messages are no complaints
		}
	}
}

// take returns what was heard since it was last called.
func (c *console) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.messages
	c.messages = nil
	return taken
}
