package s3cfg

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/afero"
)

func write(t *testing.T, fsys afero.Fs, name, text string) {
	t.Helper()
	if err := afero.WriteFile(fsys, name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestKeys(t *testing.T) {
	const profiles = "# theirs\n[default]\naws_access_key_id = DA\naws_secret_access_key=DS\n\n" +
		"[work]\nAWS_ACCESS_KEY_ID: WA\naws_secret_access_key: WS:=\naws_session_token = WT\ns3 =\n    aws_access_key_id = nested\n" +
		"[role]\nrole_arn = x\n[half]\naws_access_key_id = HA\n"
	for _, test := range []struct {
		name string
		text string // of s3cmd's file
		aws  string // of ~/.aws/credentials; empty: none
		env  []string
		want string // access secret token from, or the error
	}{
		{"file", "access_key = A\nsecret_key = S\naccess_token = T", profiles, []string{"AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "X"}, "A S T f"},
		{"environment", "secret_key = S", profiles, []string{"AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "X"}, "E X  the environment"},
		{"environment, older names first", "", profiles, []string{"AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "X", "AWS_ACCESS_KEY", "E2", "AWS_SECRET_KEY", "X2"}, "E2 X2  the environment"},
		{"environment, token", "", "", []string{"AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "X", "AWS_SECURITY_TOKEN", "T2", "AWS_SESSION_TOKEN", "T"}, "E X T the environment"},
		{"environment, token of the file", "access_token = T", "", []string{"AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "X"}, "E X T the environment"},
		{"environment, half", "", profiles, []string{"AWS_ACCESS_KEY_ID", "E"}, "AWS_ACCESS_KEY_ID is set in the environment, and AWS_SECRET_ACCESS_KEY is not: set both or none"},
		{"environment, other half", "", profiles, []string{"AWS_SECRET_ACCESS_KEY", "X"}, "DA DS  /root/.aws/credentials, profile default"},
		{"environment, by the file", "access_key = $K\nsecret_key = $L", profiles, []string{"K", "A", "L", "S"}, "A S  f"},
		{"variable not set", "access_key = $K\nsecret_key = $L", profiles, nil, "DA DS  /root/.aws/credentials, profile default"},
		{"profile", "", profiles, []string{"AWS_PROFILE", "work"}, "WA WS:= WT /root/.aws/credentials, profile work"},
		{"no such profile", "", profiles, []string{"AWS_PROFILE", "play"}, "/root/.aws/credentials: has no profile [play], which AWS_PROFILE asks for"},
		{"profile without keys", "", profiles, []string{"AWS_PROFILE", "role"}, "/root/.aws/credentials: profile [role] must have both aws_access_key_id and aws_secret_access_key"},
		{"profile, half", "", profiles, []string{"AWS_PROFILE", "half"}, "/root/.aws/credentials: profile [half] must have both aws_access_key_id and aws_secret_access_key"},
		{"other file", "", profiles, []string{"AWS_CREDENTIAL_FILE", "/etc/aws"}, "OA OS  /etc/aws, profile default"},
		{"other file, which is not there", "", profiles, []string{"AWS_CREDENTIAL_FILE", "/etc/none"}, "DA DS  /root/.aws/credentials, profile default"},
		{"default without keys", "", "[default]\nregion = x\n", nil, "   "},
		{"nothing", "", "", nil, "   "},
		{"no home", "", profiles, []string{"HOME", ""}, "   "},
		{"not a file of profiles", "", "[default]\nwhat\n", nil, "/root/.aws/credentials:2: is neither [PROFILE] nor KEY = VALUE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := afero.NewMemMapFs()
			write(t, fsys, "/etc/aws", "AWSAccessKeyId=OA\nAWSSecretKey=OS\n") // as of old
			if test.aws != "" {
				write(t, fsys, "/root/.aws/credentials", test.aws)
			}
			env := envOf(append([]string{"HOME", "/root"}, test.env...)...)
			c, err := Parse("f", strings.NewReader(test.text), env)
			if err != nil {
				t.Fatal(err)
			}
			k, err := c.Keys(fsys, env)
			got := fmt.Sprintf("%s %s %s %s", k.Access, k.Secret, k.Token, k.From)
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	c := parse(t, "access_key = AK\nsecret_key = hush\naccess_token = hush")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, *c) + fmt.Sprintf(format, c.FileKeys); strings.Contains(got, "hush") {
			t.Errorf("%s: %s", format, got)
		}
	}
}

func TestCredentials(t *testing.T) {
	// minio-go asks the environment itself too.
	for _, name := range []string{
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	fsys := afero.NewMemMapFs()
	given, err := parse(t, "access_key = A\nsecret_key = S\naccess_token = T").Credentials(fsys, noEnv, Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := given.GetWithContext(nil); err != nil || v.AccessKeyID+v.SecretAccessKey+v.SessionToken != "AST" {
		t.Errorf("got %+v, %v", v, err)
	}

	hasRole := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const path = "/latest/meta-data/iam/security-credentials/"
		switch {
		case r.Method == http.MethodPut:
			_, _ = io.WriteString(w, "token")
		case !hasRole || r.Header.Get("X-aws-ec2-metadata-token") != "token":
			http.NotFound(w, r)
		case r.URL.Path == path:
			_, _ = io.WriteString(w, "backup")
		case r.URL.Path == path+"backup":
			_, _ = io.WriteString(w, `{"Code":"Success","AccessKeyId":"RA","SecretAccessKey":"RS","Token":"RT","Expiration":"2099-01-01T00:00:00Z"}`)
		}
	}))
	defer server.Close()
	for _, hasRole = range []bool{true, false} {
		asked, err := parse(t, "").Credentials(fsys, noEnv, Metadata{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		v, err := asked.GetWithContext(nil)
		switch {
		case hasRole && (err != nil || v.AccessKeyID+v.SecretAccessKey+v.SessionToken != "RARSRT"):
			t.Errorf("got %+v, %v", v, err)
		case !hasRole && (err == nil || err.Error() != "there are no keys in f, in the environment or in ~/.aws/credentials, and this machine has no role (404 Not Found): write access_key and secret_key in f"):
			t.Errorf("got %v", err)
		}
	}
}
