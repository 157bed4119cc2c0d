package offsite

import (
	"fmt"
	"strings"

	"btw-backup/internal/exec"
)

// Exit statuses of s3cmd. The first two concern some files; what was not tried
// is not sent either.
const (
	partial      = 2
	badFile      = 72
	accessDenied = 77
)

// s3cmdStatuses says what s3cmd's exit statuses (S3/ExitCodes.py) mean, and
// where CONFIG may have to be mended. A status that is everybody's is one
// that whatever is tried next would end with too.
var s3cmdStatuses = map[int]struct {
	meaning   string
	everybody bool
}{
	partial:      {"some files could not be sent", false},
	10:           {"the bucket is at another address: see host_base, host_bucket and bucket_location in CONFIG", true},
	11:           {"the server reported an error", false},
	12:           {"there is no such bucket", true},
	13:           {"the server reported a conflict", false},
	14:           {"the server refused a condition", false},
	15:           {"the server is busy", true},
	64:           {"s3cmd was called wrongly", false},
	65:           {"the server could not be reached, or not for long enough", true},
	70:           {"the server or s3cmd broke down", false},
	71:           {"the system reported an error", false},
	badFile:      {"a file could not be sent", false},
	74:           {"the server's name is not known: see host_base in CONFIG", true},
	75:           {"the server could not be reached, or not for long enough", true},
	accessDenied: {"access was denied, or the server's certificate does not verify: see access_key and secret_key in CONFIG", true},
	78:           {"CONFIG is not valid", true},
	111:          {"the connection was refused: see host_base in CONFIG", true},
}

// s3cmdError makes an error of s3cmd's exit: what the status means, and its
// last complaint. It wraps exit, which holds all of its last words, and is an
// *[UnavailableError] where it would be the same with everything else.
func (s *s3cmd) s3cmdError(verb string, exit *exec.ExitError) error {
	status := s3cmdStatuses[exit.Status]
	text := fmt.Sprintf("s3cmd %s exited with code: %d", verb, exit.Status)
	if exit.Signal != 0 {
		text += fmt.Sprintf(" (%s)", exit.Signal)
	}
	if status.meaning != "" {
		text += " (" + strings.ReplaceAll(status.meaning, "CONFIG", s.S3cmdConfig) + ")"
	}
	if last := lastComplaint(exit.Stderr); last != "" {
		text += ": " + last
	}
	if status.everybody {
		return &UnavailableError{URI: s.URI, Reason: text, Err: exit}
	}
	return &s3cmdFailure{s.URI + ": " + text, exit}
}

// s3cmdFailure is an exit of s3cmd in other words.
type s3cmdFailure struct {
	text string
	exit *exec.ExitError
}

func (e *s3cmdFailure) Error() string { return e.text }

func (e *s3cmdFailure) Unwrap() error { return e.exit }

// lastComplaint finds the last line that s3cmd marked as an error.
func lastComplaint(stderr string) string {
	last := ""
	for line := range strings.Lines(stderr) {
		for _, mark := range []string{"ERROR: ", "Problem: "} {
			if text, ok := strings.CutPrefix(line, mark); ok {
				last = strings.TrimSpace(text)
			}
		}
	}
	return last
}
