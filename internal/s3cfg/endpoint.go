package s3cfg

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Endpoint is where a bucket is.
type Endpoint struct {
	// Host is the server's name in lower case, with :PORT unless the port is
	// the scheme's own, and without the bucket.
	Host string

	// PathStyle tells how the bucket is named: https://HOST/BUCKET/KEY if set,
	// else https://BUCKET.HOST/KEY.
	PathStyle bool
}

// Endpoint returns where a bucket is: below host_bucket if that has a place
// for a bucket's name and the name can be part of a host's, else at host_base.
//
// A bucket with a dot in its name goes by its path where the certificate is
// checked: a server's certificate is for *.HOST, and a * stands for one label
// only. (s3cmd keeps the name in the host and is lenient with the
// certificate.)
//
// %(location)s stands for the region. s3cmd's own documentation knows it, but
// s3cmd 2.3 falls over it.
func (c *Config) Endpoint(bucket string) (Endpoint, error) {
	option, pattern := "host_base", c.hostBase
	virtual := strings.Contains(c.hostBucket, "%(bucket)s") && isDNSName(bucket)
	if virtual {
		option, pattern = "host_bucket", c.hostBucket
	}
	wrong := func(why string) (Endpoint, error) {
		return Endpoint{}, fmt.Errorf("%s: %s = %s: %s", c.File, option, pattern, why)
	}
	name := strings.ToLower(pattern)
	if virtual {
		// Only what lies behind the bucket matters: who asks puts it in front.
		rest, ok := strings.CutPrefix(name, "%(bucket)s.")
		if !ok || strings.Contains(rest, "%(bucket)s") {
			return wrong("the name of the bucket is supported in front only: write %(bucket)s.HOST, or HOST alone for a server that wants it in the path")
		}
		name = rest
	}
	name = strings.ReplaceAll(name, "%(location)s", strings.ToLower(c.Region))
	if virtual {
		name = strings.ReplaceAll(name, "%%", "%")
	}
	name = c.withoutDefaultPort(strings.TrimSuffix(name, "/"))
	if !isHost(name) {
		return wrong("must be the name of a server, with :PORT if need be, and nothing else")
	}
	if c.HTTPS && c.CheckCertificate && c.CheckHostname && strings.Contains(bucket, ".") {
		virtual = false
	}
	return Endpoint{Host: name, PathStyle: !virtual}, nil
}

// withoutDefaultPort takes a port off that goes without saying: some servers
// find a signature wrong that has it.
func (c *Config) withoutDefaultPort(name string) string {
	if c.HTTPS {
		return strings.TrimSuffix(name, ":443")
	}
	return strings.TrimSuffix(name, ":80")
}

var hostName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

func isHost(name string) bool {
	if !hostName.MatchString(name) || strings.Contains(name, "..") {
		return false
	}
	u, err := url.Parse("https://" + name)
	return err == nil && u.Host == name
}

var dnsName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// isDNSName tells whether a bucket's name can be part of a host's, by
// s3cmd's rule.
func isDNSName(bucket string) bool {
	return dnsName.MatchString(bucket) && !strings.Contains(bucket, "-.") && !strings.Contains(bucket, "..")
}
