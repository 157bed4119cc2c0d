package s3cfg

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/afero"
)

// awsKeys reads the keys that other programs use, if there are any.
func awsKeys(fsys afero.Fs, env Env) (Keys, error) {
	file := awsFile(fsys, env)
	if file == "" {
		return Keys{}, nil
	}
	data, err := afero.ReadFile(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		return Keys{}, nil
	}
	if err != nil {
		return Keys{}, err
	}
	all, err := parseProfiles(file, string(data))
	if err != nil {
		return Keys{}, err
	}
	name, asked := env.get("AWS_PROFILE"), true
	if name == "" {
		name, asked = "default", false
	}
	profile, ok := all[name]
	if !ok && asked {
		return Keys{}, fmt.Errorf("%s: has no profile [%s], which AWS_PROFILE asks for", file, name)
	}
	get := func(key, old string) string {
		for _, value := range []string{profile[key], all["DEFAULT"][key], all["default"][old]} {
			if value != "" {
				return value
			}
		}
		return ""
	}
	k := Keys{
		Access: get("aws_access_key_id", "awsaccesskeyid"),
		Secret: get("aws_secret_access_key", "awssecretkey"),
		Token:  get("aws_session_token", ""),
		From:   fmt.Sprintf("%s, profile %s", file, name),
	}
	switch {
	case k.Access == "" && !asked:
		return Keys{}, nil // a role or a login by other means
	case k.Access == "" || k.Secret == "":
		return Keys{}, fmt.Errorf("%s: profile [%s] must have both aws_access_key_id and aws_secret_access_key", file, name)
	}
	return k, nil
}

// awsFile returns the name of the file, empty if there is none.
func awsFile(fsys afero.Fs, env Env) string {
	if named := env.get("AWS_CREDENTIAL_FILE"); named != "" {
		if info, err := fsys.Stat(named); err == nil && info.Mode().IsRegular() {
			return named
		}
	}
	home := env.get("HOME")
	if home == "" {
		return ""
	}
	file := filepath.Join(home, ".aws", "credentials")
	if info, err := fsys.Stat(file); err == nil && !info.Mode().IsRegular() {
		return ""
	}
	return file
}

// parseProfiles reads the syntax of Python's configparser: sections, KEY =
// VALUE or KEY: VALUE with KEY in any case, comments behind # or ; in front,
// and lines set in further than the one before, which continue its value and
// hold nothing of interest here. Before the first section it is the default
// one's, as in files of old.
func parseProfiles(file, data string) (map[string]map[string]string, error) {
	profiles := map[string]map[string]string{}
	section, indent, inValue := "default", 0, false
	for i, line := range strings.Split(data, "\n") {
		rest := trim(line)
		if rest == "" || rest[0] == '#' || rest[0] == ';' {
			continue
		}
		in := len(line) - len(strings.TrimLeftFunc(line, isSpace))
		if inValue && in > indent {
			continue
		}
		indent = in
		if end := strings.LastIndexByte(rest, ']'); rest[0] == '[' && end > 1 {
			section, inValue = rest[1:end], false
			if profiles[section] == nil {
				profiles[section] = map[string]string{}
			}
			continue
		}
		at := strings.IndexAny(rest, "=:")
		if at <= 0 {
			return nil, fmt.Errorf("%s:%d: is neither [PROFILE] nor KEY = VALUE", file, i+1)
		}
		if profiles[section] == nil {
			profiles[section] = map[string]string{}
		}
		profiles[section][strings.ToLower(trim(rest[:at]))] = trim(rest[at+1:])
		inValue = true
	}
	return profiles, nil
}
