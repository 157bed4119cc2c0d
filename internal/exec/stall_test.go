package exec

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAProgramThatHangsIsStopped(t *testing.T) {
	t.Parallel()
	hanging := OS{Stall: 200 * time.Millisecond}
	result, err := hanging.Run(t.Context(), sh("echo asleep >&2; sleep 1000 & wait"))
	var stall *StallError
	if !errors.As(err, &stall) || stall.Program != "sh" || result.Stderr != "asleep" {
		t.Errorf("got %v, %+v", err, result)
	}
	if !strings.HasPrefix(err.Error(), "sh was stopped, since it had done nothing for 200ms: ") {
		t.Error(err)
	}
}

func TestAProgramThatWorksIsNot(t *testing.T) {
	t.Parallel()
	// It waits for a child that writes, and prints nothing itself.
	working := OS{Stall: time.Minute}
	if _, err := working.Run(t.Context(), sh("(i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done) & wait")); err != nil {
		t.Error(err)
	}
}

// TestStallIsCountedAnew goes through the looks at a program, without a clock.
func TestStallIsCountedAnew(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		work    string // what is seen at each look, a letter each; the first is the one at the start
		stalled bool
	}{
		{"nothing at all", strings.Repeat("a", looks+1), true},
		{"not long enough", strings.Repeat("a", looks), false},
		{"something in between", strings.Repeat("a", looks) + strings.Repeat("b", looks), false},
		{"and then nothing", strings.Repeat("a", looks) + strings.Repeat("b", looks+1), true},
		{"always something", strings.Repeat("ab", looks), false},
	} {
		tick, over, stalled := make(chan time.Time), make(chan struct{}), false
		next := 0
		work := func() string { next++; return test.work[next-1 : next] }
		done := make(chan struct{})
		go func() {
			watchStall(tick, over, work, func() { stalled = true })
			close(done)
		}()
		for range len(test.work) - 1 {
			select {
			case tick <- time.Time{}:
			case <-done:
			}
		}
		close(over)
		<-done
		if stalled != test.stalled {
			t.Errorf("%s: stalled: %v", test.name, stalled)
		}
	}
}

func TestWorkOf(t *testing.T) {
	t.Parallel()
	pid := os.Getpid()
	before := workOf(pid)
	if before == "" {
		t.Fatal("this very process is not seen")
	}
	for range 100 { // reading is work, too
		if _, err := os.ReadFile("/proc/self/status"); err != nil {
			t.Fatal(err)
		}
	}
	if workOf(pid) == before {
		t.Errorf("nothing was done since:\n%s", before)
	}
	if got := workOf(1 << 30); got != "" {
		t.Errorf("nobody has done %q", got)
	}
}
