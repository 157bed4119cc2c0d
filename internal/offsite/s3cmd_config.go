package offsite

import (
	"bufio"
	"errors"
	"io/fs"
	"strings"

	"btw-backup/internal/durable"
)

// What a setting of s3cmd's own file could do that no option of ours undoes,
// and why it is refused by name: each would be a copy that is none, or a
// deletion that nobody asked for.
var refused = map[string]string{
	"dry_run":              "nothing would be sent",
	"encrypt":              "what is stored could not be compared with what is here",
	"human_readable_sizes": "sizes could not be compared",
	"recursive":            "deleting one object would delete all that begin with its name",
}

// checkConfig looks at the file that S3CMD_CONFIG names.
func (s *s3cmd) checkConfig() error {
	settings, err := s.readConfig()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.unavailable("S3CMD_CONFIG: there is no file %s: make it with: s3cmd --configure --config=%s", s.S3cmdConfig, s.S3cmdConfig)
	case err != nil:
		return s.unavailable("S3CMD_CONFIG: %v", err)
	}
	for name, why := range refused {
		if isTrue(settings[name]) {
			return s.unavailable("%s sets %s, with which %s: take that line out", s.S3cmdConfig, name, why)
		}
	}
	if mode := settings["urlencoding_mode"]; mode != "" && mode != "normal" {
		return s.unavailable("%s sets urlencoding_mode = %s, with which names would be stored under others: take that line out", s.S3cmdConfig, mode)
	}
	return nil
}

// readConfig reads the file as s3cmd does: KEY = VALUE, the last one of a key
// counts, # begins a comment only in front of a line, section names mean
// nothing, and quotes around a value are taken off.
func (s *s3cmd) readConfig() (map[string]string, error) {
	info, err := durable.Lstat(s.FS, s.S3cmdConfig)
	if err == nil && info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: s.S3cmdConfig, Err: errors.New("is a directory")}
	}
	f, err := s.FS.Open(s.S3cmdConfig)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	settings := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		if len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) {
			value = strings.TrimSpace(value[1 : len(value)-1])
		}
		settings[strings.TrimSpace(key)] = value
	}
	return settings, lines.Err()
}

// isTrue reads a boolean as s3cmd does. A value that begins with $ is taken
// from the environment, which may say anything: it counts as true.
func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1":
		return true
	}
	return strings.HasPrefix(value, "$")
}
