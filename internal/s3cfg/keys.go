package s3cfg

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/spf13/afero"
)

// Keys are what requests are signed with. They print without what is secret.
type Keys struct {
	Access, Secret, Token string

	// From tells where they were found.
	From string
}

// String implements [fmt.Stringer].
func (k Keys) String() string { return fmt.Sprintf("access key %s from %s", k.Access, k.From) }

// GoString implements [fmt.GoStringer].
func (k Keys) GoString() string { return k.String() }

// Keys returns the keys that do not change, from the first place that has
// some:
//
//  1. the file: access_key, secret_key, access_token
//  2. the environment: AWS_ACCESS_KEY or AWS_ACCESS_KEY_ID, AWS_SECRET_KEY or
//     AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or AWS_SECURITY_TOKEN, the
//     first of each pair before the second
//  3. the profile that AWS_PROFILE names, or "default", in the file that
//     AWS_CREDENTIAL_FILE names if there is one, else in ~/.aws/credentials
//
// If there are none, both Access and the error are empty, and the machine's
// metadata is left: see [Config.Credentials].
func (c *Config) Keys(fsys afero.Fs, env Env) (Keys, error) {
	if c.FileKeys.Access != "" {
		return c.FileKeys, nil
	}
	access := env.get("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID")
	if access == "" {
		return awsKeys(fsys, env)
	}
	k := Keys{
		Access: access,
		Secret: env.get("AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"),
		Token:  env.get("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
		From:   "the environment",
	}
	if k.Secret == "" {
		return Keys{}, errors.New("AWS_ACCESS_KEY_ID is set in the environment, and AWS_SECRET_ACCESS_KEY is not: set both or none")
	}
	if k.Token == "" {
		k.Token = c.FileKeys.Token // s3cmd leaves it standing
	}
	return k, nil
}

// Metadata says how the machine's own metadata is reached, from which an
// instance in a cloud has its role's keys. The zero value is right but for
// tests.
type Metadata struct {
	URL    string       // empty: where the cloud has it
	Client *http.Client // nil: one without a proxy that does not wait long
}

// metadataTimeout is how long an answer may take. Outside of a cloud there is
// none, and nobody is to wait for it.
const metadataTimeout = 5 * time.Second

// Credentials returns what requests are signed with: [Config.Keys], or those
// of the machine's metadata, which change and are asked for when they are
// needed. Nothing is asked for here.
func (c *Config) Credentials(fsys afero.Fs, env Env, meta Metadata) (*credentials.Credentials, error) {
	k, err := c.Keys(fsys, env)
	if err != nil {
		return nil, err
	}
	if k.Access != "" {
		return credentials.NewStaticV4(k.Access, k.Secret, k.Token), nil
	}
	if meta.Client == nil {
		meta.Client = &http.Client{Timeout: metadataTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	}
	return credentials.New(&role{
		IAM:  credentials.IAM{Client: meta.Client, Endpoint: meta.URL, Region: env.get("AWS_REGION")},
		file: c.File,
	}), nil
}

// role is the machine's metadata, with an error that says where else keys
// were looked for.
type role struct {
	credentials.IAM
	file string
}

// RetrieveWithCredContext implements credentials.Provider.
func (r *role) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	value, err := r.IAM.RetrieveWithCredContext(cc)
	if err != nil {
		err = r.explain(err)
	}
	return value, err
}

// Retrieve implements credentials.Provider.
func (r *role) Retrieve() (credentials.Value, error) {
	value, err := r.IAM.Retrieve()
	if err != nil {
		err = r.explain(err)
	}
	return value, err
}

func (r *role) explain(err error) error {
	return fmt.Errorf("there are no keys in %s, in the environment or in ~/.aws/credentials, and this machine has no role (%w): write access_key and secret_key in %s", r.file, err, r.file)
}
