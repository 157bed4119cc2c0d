package s3cfg

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/afero"
)

// Config is what a file says to a client, defaults put in.
type Config struct {
	// File is the file's name.
	File string

	// Notes are things that are no error, each in one line with the file's
	// name: lines that mean nothing, variables that are not set. s3cmd warns
	// of the former.
	Notes []string

	// HTTPS tells whether the server is spoken to through TLS. See
	// [Config.Endpoint] for where it is, and [Config.TLS].
	HTTPS bool

	// Region is what requests are signed for: bucket_location, with US and EU
	// replaced by the names that they have today. s3cmd takes it for a guess:
	// where a server answers AuthorizationHeaderMalformed and names another
	// region, that one is used. Installations rely on it, since s3cmd
	// --configure writes US unless told otherwise.
	Region string

	// FileKeys are the keys that stand in the file. See [Config.Keys].
	FileKeys Keys

	// Proxy is the proxy to go through, nil if there is none. Variables such
	// as http_proxy mean nothing to s3cmd.
	Proxy *url.URL

	// CheckCertificate tells whether the server's certificate must come from
	// somebody who is trusted, CheckHostname whether it must be for this
	// server. Those in CACertsFile are trusted, in its absence those that the
	// machine trusts. ClientCertFile and ClientKeyFile show who we are; the
	// key may stand in the former. See [Config.TLS].
	CheckCertificate, CheckHostname            bool
	CACertsFile, ClientCertFile, ClientKeyFile string

	// KMSKey is the key that the server is to encrypt with (aws:kms); empty
	// is AES256. ServerSideEncryption says whether s3cmd would ask for
	// encryption without being told on its command line.
	KMSKey               string
	ServerSideEncryption bool

	// StorageClass is sent with each object. s3cmd always sends one.
	StorageClass string

	// ContentType is sent with each object: mime_type if it is set;
	// default_mime_type if s3cmd is not to guess; else what its guess, libmagic,
	// says of plain data. Nothing reads it back, and a comparison never looks
	// at it, so that no file is opened to guess.
	ContentType string

	// Files larger than PartSize are sent in parts of that size, MaxParts at
	// most, if Multipart is set.
	Multipart bool
	PartSize  int64
	MaxParts  int

	// PreserveAttrs tells whether the owner, the mode and the times of a file
	// are among its [Attrs]; its MD5 always is.
	PreserveAttrs bool

	// LimitRate is how many bytes a second may be sent; 0 is no limit.
	LimitRate int64

	// SocketTimeout is how long a connection may stand still.
	SocketTimeout time.Duration

	hostBase, hostBucket string
}

// Read reads a file.
func Read(fsys afero.Fs, file string, env Env) (*Config, error) {
	switch info, err := fsys.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s (%w): make it with: s3cmd --configure --config=%s", file, fs.ErrNotExist, file)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", file) // to read a pipe would take for ever
	}
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return Parse(file, f, env)
}

// Parse reads what stands in a file of that name.
//
// An error may have several lines, one for each thing that is wrong. It never
// holds a key or the value of an environment variable.
func Parse(file string, r io.Reader, env Env) (*Config, error) {
	entries, notes, err := parseLines(file, r)
	if err != nil {
		return nil, err
	}
	v := &values{file: file, env: env, entries: entries, notes: notes}
	v.refuse()
	c := &Config{
		File:                 file,
		HTTPS:                v.boolean("use_https"),
		Region:               region(v.text("bucket_location")),
		FileKeys:             Keys{v.text("access_key"), v.text("secret_key"), v.text("access_token"), file},
		Proxy:                v.proxy(),
		CheckCertificate:     v.boolean("check_ssl_certificate"),
		CheckHostname:        v.boolean("check_ssl_hostname"),
		CACertsFile:          v.text("ca_certs_file"),
		ClientCertFile:       v.text("ssl_client_cert_file"),
		ClientKeyFile:        v.text("ssl_client_key_file"),
		KMSKey:               v.text("kms_key"),
		ServerSideEncryption: v.boolean("server_side_encryption"),
		StorageClass:         v.storageClass(),
		ContentType:          v.contentType(),
		Multipart:            v.boolean("enable_multipart"),
		PartSize:             v.integer("multipart_chunk_size_mb", 5, 5*1024) << 20,
		MaxParts:             int(v.integer("multipart_max_chunks", 1, math.MaxInt32)),
		PreserveAttrs:        v.boolean("preserve_attrs"),
		LimitRate:            v.rate("limitrate"),
		SocketTimeout:        time.Duration(v.integer("socket_timeout", 1, math.MaxInt32)) * time.Second,
		hostBase:             v.text("host_base"),
		hostBucket:           v.text("host_bucket"),
	}
	if c.FileKeys.Access != "" && c.FileKeys.Secret == "" {
		v.fail("access_key", "access_key is set and secret_key is not: write secret_key = …, or take access_key out for the keys to be looked for elsewhere")
	}
	if c.ClientKeyFile != "" && c.ClientCertFile == "" {
		v.notes = append(v.notes, fmt.Sprintf("%s:%d: ssl_client_key_file means nothing without ssl_client_cert_file", file, entries["ssl_client_key_file"].line))
	}
	c.Notes = v.notes
	if err := v.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// region gives a bucket's location the name that requests are signed with.
func region(location string) string {
	switch location = trim(location); strings.ToUpper(location) {
	case "", "US":
		return "us-east-1"
	case "EU":
		return "eu-west-1"
	}
	return location
}

func (v *values) storageClass() string {
	reduced := v.boolean("reduced_redundancy")
	switch class := v.text("storage_class"); {
	case class != "":
		return class
	case reduced:
		return "REDUCED_REDUNDANCY"
	}
	return "STANDARD"
}

func (v *values) contentType() string {
	guess := v.boolean("guess_mime_type")
	if forced := v.text("mime_type"); forced != "" {
		return forced
	}
	if byDefault := v.text("default_mime_type"); !guess && byDefault != "" {
		return byDefault
	}
	return "application/octet-stream"
}

func (v *values) proxy() *url.URL {
	name, port := v.text("proxy_host"), v.integer("proxy_port", math.MinInt32, math.MaxInt32)
	if name == "" {
		return nil
	}
	if strings.ContainsAny(name, "/:@ ") {
		v.fail("proxy_host", "proxy_host: must be the name of a machine alone; its port is proxy_port, and a password is not supported")
		return nil
	}
	if port < 1 || port > 65535 {
		v.fail("proxy_port", "proxy_port = %s: is not the number of a port", v.shown("proxy_port"))
		return nil
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(name, strconv.FormatInt(port, 10))}
}
