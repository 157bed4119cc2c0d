package s3cfg

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
)

func parse(t *testing.T, text string, env ...string) *Config {
	t.Helper()
	c, err := Parse("f", strings.NewReader(text), envOf(env...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	got := *parse(t, "")
	want := Config{
		File: "f", HTTPS: true, Region: "us-east-1", CheckCertificate: true, CheckHostname: true,
		FileKeys: Keys{From: "f"}, StorageClass: "STANDARD", ContentType: "application/octet-stream",
		Multipart: true, PartSize: 15 << 20, MaxParts: 10000, PreserveAttrs: true, SocketTimeout: 300 * time.Second,
		hostBase: "s3.amazonaws.com", hostBucket: "%(bucket)s.s3.amazonaws.com",
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text string
		env  []string
		get  func(*Config) any
		want any
	}{
		{"use_https = OFF", nil, func(c *Config) any { return c.HTTPS }, false},
		{"bucket_location = eu", nil, func(c *Config) any { return c.Region }, "eu-west-1"},
		{"bucket_location = us", nil, func(c *Config) any { return c.Region }, "us-east-1"},
		{"bucket_location =", nil, func(c *Config) any { return c.Region }, "us-east-1"},
		{"bucket_location = eu-central-1", nil, func(c *Config) any { return c.Region }, "eu-central-1"},
		{"access_key = a\nsecret_key = \"b\"\naccess_token = c", nil, func(c *Config) any { k := c.FileKeys; return k.Access + k.Secret + k.Token }, "abc"},
		{"access_key = a\nsecret_key = $S", []string{"S", "$T", "T", "s"}, func(c *Config) any { return c.FileKeys.Secret }, "s"},
		{"limitrate = 3m", nil, func(c *Config) any { return c.LimitRate }, int64(3 << 20)},
		{"limitrate = -3", nil, func(c *Config) any { return c.LimitRate }, int64(0)},
		{"proxy_host = p", nil, func(c *Config) any { return c.Proxy.String() }, "http://p:3128"},
		{"proxy_host = p\nproxy_port = 8080", nil, func(c *Config) any { return c.Proxy.String() }, "http://p:8080"},
		{"proxy_port = 0", nil, func(c *Config) any { return c.Proxy == nil }, true},
		{"storage_class = STANDARD_IA\nreduced_redundancy = yes", nil, func(c *Config) any { return c.StorageClass }, "STANDARD_IA"},
		{"reduced_redundancy = yes", nil, func(c *Config) any { return c.StorageClass }, "REDUCED_REDUNDANCY"},
		{"mime_type = a/b\nguess_mime_type = no", nil, func(c *Config) any { return c.ContentType }, "a/b"},
		{"guess_mime_type = no", nil, func(c *Config) any { return c.ContentType }, "binary/octet-stream"},
		{"guess_mime_type = no\ndefault_mime_type =", nil, func(c *Config) any { return c.ContentType }, "application/octet-stream"},
		{"multipart_chunk_size_mb = 5", nil, func(c *Config) any { return c.PartSize }, int64(5 << 20)},
		{"enable_multipart = 0", nil, func(c *Config) any { return c.Multipart }, false},
		{"kms_key = k\nserver_side_encryption = 1", nil, func(c *Config) any { return c.KMSKey + fmt.Sprint(c.ServerSideEncryption) }, "ktrue"},
		{"socket_timeout = 10", nil, func(c *Config) any { return c.SocketTimeout }, 10 * time.Second},
		{"preserve_attrs = no", nil, func(c *Config) any { return c.PreserveAttrs }, false},
		{"no_such_option = 1\nencrypted = True\nverbosity = LOUD", nil, func(c *Config) any { return len(c.Notes) }, 0},
		{"host_base = $HOST", nil, func(c *Config) any { return c.Notes[0] }, "f:1: host_base takes its value from the environment, where HOST is not set, and has s3cmd's default"},
		{"host_base = $HOST", nil, func(c *Config) any { return c.hostBase }, "s3.amazonaws.com"},
		{"host_base = $HOST", []string{"HOST", "http://h"}, func(c *Config) any { return c.hostBase }, "h"},
		{"junk\nssl_client_key_file = k", nil, func(c *Config) any { return len(c.Notes) }, 2},
		{"acl_public = no\nadd_headers =\nencrypt = no\nurlencoding_mode = normal", nil, func(c *Config) any { return len(c.Notes) }, 0},
	} {
		if got := test.get(parse(t, test.text, test.env...)); got != test.want {
			t.Errorf("%q: got %v, want %v", test.text, got, test.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"\nuse_https = maybe", "f:2: use_https = maybe: must be True or False"},
		{"use_https =", "f:1: use_https = : must be True or False"},
		{"use_https = $SECRET", "f:1: use_https = $SECRET: must be True or False"},
		{"socket_timeout = soon", "f:1: socket_timeout = soon: must be a whole number"},
		{"socket_timeout = 0", "f:1: socket_timeout = 0: must lie between 1 and 2147483647"},
		{"multipart_chunk_size_mb = 4", "f:1: multipart_chunk_size_mb = 4: must lie between 5 and 5120"},
		{"limitrate = 1g", "f:1: limitrate = 1g: must be a whole number of bytes a second, or one with k or m behind it"},
		{"access_key = AK", "f:1: access_key is set and secret_key is not: write secret_key = …, or take access_key out for the keys to be looked for elsewhere"},
		{"proxy_host = http://u:p@h", "f:1: proxy_host: must be the name of a machine alone; its port is proxy_port, and a password is not supported"},
		{"proxy_host = h\nproxy_port = 70000", "f:2: proxy_port = 70000: is not the number of a port"},
		{"host_base = $LOOP", "f:1: host_base = $LOOP: the environment variables point to each other in a circle: write the value itself"},
		{"proxy_port = x\n\nuse_https = y", "f:1: proxy_port = x: must be a whole number\nf:3: use_https = y: must be True or False"},
		{"encrypt = maybe", "f:1: encrypt = maybe: must be True or False"},
	} {
		_, err := Parse("f", strings.NewReader(test.text), envOf("SECRET", "hush", "LOOP", "$LOOP2", "LOOP2", "$LOOP"))
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: got  %v\nwant %s", test.text, err, test.want)
		}
	}
}

// TestRefused sets each option that is refused, in the file and through the
// environment.
func TestRefused(t *testing.T) {
	set := map[kind][]string{
		boolean: {"True", "yes", "ON", "1", "$YES"},
		perhaps: {"True", "1", "$YES", "public"},
		header:  {"x:y", "$YES"},
		text:    {"verbatim", "fixbucket", "$YES"},
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		for _, value := range set[refused[name].kind] {
			_, err := Parse("f", strings.NewReader("\n"+name+" = "+value+"\n"), envOf("YES", "yes"))
			want := fmt.Sprintf("f:2: %s = %s: %s", name, value, refused[name].why)
			if err == nil || err.Error() != want {
				t.Errorf("%s = %s: got  %v\nwant %s", name, value, err, want)
			}
		}
		if !strings.Contains(refused[name].why, "take the line out") {
			t.Errorf("%s: it is not said what to do", name)
		}
		if r := refused[name]; r.kind != perhaps {
			parse(t, name+" = "+r.value+"\n")
		}
	}
}

func TestRead(t *testing.T) {
	fsys := afero.NewMemMapFs()
	if err := afero.WriteFile(fsys, "/etc/s3cfg", []byte("use_https = no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Read(fsys, "/etc/s3cfg", noEnv)
	if err != nil || c.HTTPS || c.File != "/etc/s3cfg" {
		t.Errorf("got %+v, %v", c, err)
	}
	_, err = Read(fsys, "/etc/other", noEnv)
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasSuffix(err.Error(), "make it with: s3cmd --configure --config=/etc/other") {
		t.Errorf("got %v", err)
	}
	_, err = Read(fsys, "/etc", noEnv)
	if err == nil || err.Error() != "/etc is not a file" {
		t.Errorf("got %v", err)
	}
}

func TestEndpoint(t *testing.T) {
	const local = "host_base = LOCALhost:9000\nhost_bucket = LOCALhost:9000\nuse_https = no\n"
	for _, test := range []struct {
		text, bucket string
		host         string
		pathStyle    bool
	}{
		{"", "bucket", "s3.amazonaws.com", false},
		{"", "Bucket", "s3.amazonaws.com", true},
		{"", "a_b", "s3.amazonaws.com", true},
		{"", "ab", "s3.amazonaws.com", true},
		{"", "-bucket", "s3.amazonaws.com", true},
		{"", "a..b", "s3.amazonaws.com", true},
		{"", "a-.b", "s3.amazonaws.com", true},
		{"", strings.Repeat("a", 63), "s3.amazonaws.com", false},
		{"", strings.Repeat("a", 64), "s3.amazonaws.com", true},
		{"", "a.bucket", "s3.amazonaws.com", true},
		{"check_ssl_hostname = no", "a.bucket", "s3.amazonaws.com", false},
		{"use_https = no", "a.bucket", "s3.amazonaws.com", false},
		{local, "bucket", "localhost:9000", true},
		{"host_base = https://h:443/\nhost_bucket = h", "bucket", "h", true},
		{"host_base = h:443\nhost_bucket = h\nuse_https = no", "bucket", "h:443", true},
		{"host_base = h:80\nhost_bucket = h\nuse_https = no", "bucket", "h", true},
		{"host_base = [::1]:9000\nhost_bucket =", "bucket", "[::1]:9000", true},
		{"host_base = a\nhost_bucket = %(bucket)s.B:444", "bucket", "b:444", false},
		{"host_base = a\nhost_bucket = http://%(bucket)s.b", "bucket", "b", false},
		{"host_base = a\nhost_bucket = %(BUCKET)s.b", "bucket", "a", true},
		{"bucket_location = EU\nhost_bucket = %(bucket)s.s3-%(location)s.example.com", "bucket", "s3-eu-west-1.example.com", false},
		{"bucket_location = fra1\nhost_base = %(location)s.example.com\nhost_bucket = x", "bucket", "fra1.example.com", true},
	} {
		got, err := parse(t, test.text).Endpoint(test.bucket)
		if want := (Endpoint{test.host, test.pathStyle}); err != nil || got != want {
			t.Errorf("%q, %s: got %+v, %v; want %+v", test.text, test.bucket, got, err, want)
		}
	}
	for _, test := range []struct{ text, want string }{
		{"host_base = h/path\nhost_bucket = x", "f: host_base = h/path: must be the name of a server, with :PORT if need be, and nothing else"},
		{"host_base = u:p@h\nhost_bucket = x", "must be the name of a server"},
		{"host_base = ftp://h\nhost_bucket = x", "must be the name of a server"},
		{"host_base =\nhost_bucket = x", "must be the name of a server"},
		{"host_base = h:port\nhost_bucket = x", "must be the name of a server"},
		{"host_base = \"h\" \nhost_bucket = x", "must be the name of a server"},
		{"host_bucket = x-%(bucket)s.h", "f: host_bucket = x-%(bucket)s.h: the name of the bucket is supported in front only"},
		{"host_bucket = h/%(bucket)s", "supported in front only"},
		{"host_bucket = %(bucket)s", "supported in front only"},
		{"host_bucket = %(bucket)s.%(bucket)s.h", "supported in front only"},
		{"host_bucket = %(bucket)s.%(x)s.h", "must be the name of a server"},
	} {
		_, err := parse(t, test.text).Endpoint("bucket")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %s", test.text, err, test.want)
		}
	}
}
