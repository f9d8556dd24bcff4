package settings

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

type one struct {
	Listen   string         `env:"ONE_LISTEN" envDefault:"127.0.0.1:1"`
	Timeout  time.Duration  `env:"TIMEOUT" envDefault:"60s"`
	Level    slog.Level     `env:"LEVEL" envDefault:"INFO"`
	Networks []netip.Prefix `env:"NETWORKS"`
	Slots    int64          `env:"SLOTS" envDefault:"64"`
	Test     bool           `env:"TEST"`
}

type two struct {
	Listen string     `env:"TWO_LISTEN" envDefault:"127.0.0.1:2"`
	Level  slog.Level `env:"LEVEL" envDefault:"INFO"`
	Slots  int        `env:"OTHER_SLOTS" envDefault:"2"`
}

type both struct {
	One one
	Two two
}

func TestEachWrongSettingHasOneLineWithItsNameAndWhatIsExpected(t *testing.T) {
	t.Parallel()
	cfg, err := parse[both]([]string{"ONE_LISTEN=:9", "TIMEOUT=abc", "LEVEL=x", "NETWORKS=10.0.0.0", "SLOTS=many", "OTHER_SLOTS=1.5", "TEST=perhaps", "UNRELATED=1"}, nil)
	var c Check
	c.Listen("TWO_LISTEN", "127.0.0.1:99999")
	c.Listen("THREE_LISTEN", "foo")
	c.Listen("FOUR_LISTEN", ":0")
	want := `wrong settings:
  LEVEL must be DEBUG, INFO, WARN or ERROR, not "x"
  NETWORKS must be networks such as 10.0.0.0/8, with commas between them, not "10.0.0.0"
  OTHER_SLOTS must be a whole number, not "1.5"
  SLOTS must be a whole number, not "many"
  TEST must be true or false, not "perhaps"
  THREE_LISTEN must be host:port with a port of at most 65535, not "foo"
  TIMEOUT must be a duration such as 30s or 2m, not "abc"
  TWO_LISTEN must be host:port with a port of at most 65535, not "127.0.0.1:99999"`
	if got := Wrong(err, c.Err()); got == nil || got.Error() != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
	if cfg.One.Listen != ":9" || cfg.One.Timeout != time.Minute || cfg.Two.Slots != 2 {
		t.Errorf("what is right was not read, or what is wrong has no default: %+v", cfg)
	}
}

func TestIgnoredVariablesAreNotRead(t *testing.T) {
	t.Parallel()
	cfg, err := parse[both]([]string{"LEVEL=x", "SLOTS=100"}, []string{"LEVEL", "SLOTS"})
	if err != nil || cfg.One.Slots != 64 {
		t.Errorf("got %+v, %v", cfg.One, err)
	}
}

func TestNothingWrongIsNoError(t *testing.T) {
	t.Parallel()
	cfg, err := parse[both]([]string{"TIMEOUT=2m", "NETWORKS=10.0.0.0/8,::1/128", "LEVEL=DEBUG"}, nil)
	if got := Wrong(err, (&Check{}).Err()); got != nil {
		t.Fatal(got)
	}
	if cfg.One.Timeout != 2*time.Minute || len(cfg.One.Networks) != 2 || cfg.Two.Level != slog.LevelDebug {
		t.Errorf("got %+v", cfg)
	}
}
