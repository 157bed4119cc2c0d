package run

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
)

// Facts are what somebody has to know who stands before a bare machine. There is
// no secret among them.
type Facts struct {
	ConfigDir, Root, Offsite string
	S3cmdConfig              string            // where that file was
	S3                       map[string]string // what of it is no secret
	Destinations             []Fact
}

// Fact is what is known of a destination.
type Fact struct {
	Dst      string
	Kind     destination.Kind // of the newest backup
	Artifact string
	Source   string // as settings.Backup has it; "" if nobody remembers
	Newest   string // the newest state's name
}

// openS3 names what a recovery sheet tells of s3cmd's configuration. All else
// may be a secret.
var openS3 = []string{"host_base", "host_bucket", "bucket_location", "use_https", "encrypt", "server_side_encryption"}

// Facts returns what is needed to restore beside what lies off-site.
func (r *Run) Facts() (f Facts, err error) {
	general, err := r.General()
	if err != nil {
		return f, err
	}
	f = Facts{
		ConfigDir: r.Config.Path, Root: general.RootPath, Offsite: general.S3Prefix,
		S3cmdConfig: general.S3cmdConfig, S3: map[string]string{},
	}
	if f.S3cmdConfig != "" {
		text, err := afero.ReadFile(r.FS, f.S3cmdConfig)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, "=")
			for _, open := range openS3 {
				if strings.TrimSpace(key) == open && strings.TrimSpace(value) != "" {
					f.S3[open] = strings.TrimSpace(value)
				}
			}
		}
	}
	names, err := r.Destinations()
	if err != nil {
		return f, err
	}
	for _, dst := range names {
		fact := Fact{Dst: dst}
		if contents, err := r.Look(dst); err == nil {
			if states := contents.States(); len(states) > 0 {
				newest := states[len(states)-1]
				fact.Kind, fact.Artifact, fact.Newest = newest.Backup.Kind, newest.Backup.Artifact, newest.Name()
			}
		}
		h, err := r.Remembered(dst)
		if err != nil {
			return f, err
		}
		fact.Source = h.Source
		f.Destinations = append(f.Destinations, fact)
	}
	return f, nil
}
