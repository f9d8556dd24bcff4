package elements

import (
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// maxFormula bounds a formula's length, maxAtoms what it may count.
const (
	maxFormula = 200
	maxAtoms   = 1_000_000
)

// parseFormula counts the atoms of a formula such as Ca(OH)2.
func parseFormula(text string) (map[string]int, error) {
	if text == "" || len(text) > maxFormula {
		return nil, fmt.Errorf("a formula has 1 to %d characters", maxFormula)
	}
	p := formulaParser{text: text}
	counts, err := p.group(0)
	if err == nil && p.at < len(text) {
		err = fmt.Errorf("unexpected %q at character %d", text[p.at], p.at+1)
	}
	return counts, err
}

type formulaParser struct {
	text string
	at   int
}

func (p *formulaParser) group(depth int) (map[string]int, error) {
	if depth > 10 {
		return nil, errors.New("parentheses are nested too deep")
	}
	counts := map[string]int{}
	for p.at < len(p.text) && p.text[p.at] != ')' {
		part := map[string]int{}
		var err error
		if p.text[p.at] == '(' {
			p.at++
			if part, err = p.group(depth + 1); err != nil {
				return nil, err
			}
			if p.at == len(p.text) {
				return nil, errors.New("a parenthesis is not closed")
			}
			p.at++
		} else {
			symbol, err := p.symbol()
			if err != nil {
				return nil, err
			}
			part[symbol] = 1
		}
		n, err := p.count()
		if err != nil {
			return nil, err
		}
		for symbol, k := range part {
			if counts[symbol] += k * n; counts[symbol] > maxAtoms {
				return nil, fmt.Errorf("more than %d atoms of %s", maxAtoms, symbol)
			}
		}
	}
	if len(counts) == 0 {
		return nil, errors.New("a formula names at least one element")
	}
	return counts, nil
}

func (p *formulaParser) symbol() (string, error) {
	for _, n := range []int{2, 1} {
		if p.at+n <= len(p.text) {
			if s := p.text[p.at : p.at+n]; bySymbol[s] != nil {
				p.at += n
				return s, nil
			}
		}
	}
	return "", fmt.Errorf("no element at character %d of %q", p.at+1, p.text)
}

func (p *formulaParser) count() (int, error) {
	n, digits := 0, 0
	for p.at < len(p.text) && strings.IndexByte("0123456789", p.text[p.at]) >= 0 {
		n = n*10 + int(p.text[p.at]-'0')
		if p.at++; n > maxAtoms {
			return 0, fmt.Errorf("more than %d atoms", maxAtoms)
		}
		digits++
	}
	switch {
	case digits == 0:
		return 1, nil
	case n == 0:
		return 0, errors.New("a count cannot be zero")
	}
	return n, nil
}

// molarMass adds up atomic weights; decimals, so that 18.015 stays 18.015.
func molarMass(counts map[string]int) decimal.Decimal {
	total := decimal.Zero
	for symbol, n := range counts {
		total = total.Add(bySymbol[symbol].Weight.Mul(decimal.NewFromInt(int64(n))))
	}
	return total
}
