package settings

import (
	"net/url"
	"strings"
)

// Hooks are whom to tell of a backup: a program to run and a URL to ask for, each
// when it begins, when it went well, and when it failed.
type Hooks struct{ Begin, Success, Failure Hook }

// Hook is whom to tell. Either may be empty.
type Hook struct {
	Command []string // a program and its arguments; no shell
	URL     string
}

var hookSettings = []string{"ON_BEGIN", "ON_SUCCESS", "ON_FAILURE", "PING_BEGIN_URL", "PING_URL", "PING_FAILURE_URL"}

// hooks reads whom to tell.
func (v values) hooks() (h Hooks, err error) {
	for _, setting := range []struct {
		command, url string
		hook         *Hook
	}{
		{"ON_BEGIN", "PING_BEGIN_URL", &h.Begin},
		{"ON_SUCCESS", "PING_URL", &h.Success},
		{"ON_FAILURE", "PING_FAILURE_URL", &h.Failure},
	} {
		if setting.hook.Command, err = v.words(setting.command); err != nil {
			return h, err
		}
		if setting.hook.URL, err = v.text(setting.url, ""); err != nil {
			return h, err
		}
		u, err := url.Parse(setting.hook.URL)
		if setting.hook.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return h, v.wrong(setting.url, "a URL that begins with https:// or http://", setting.hook.URL)
		}
	}
	return h, nil
}

// words returns a setting that is a program with its arguments.
func (v values) words(name string) ([]string, error) {
	value, ok := v.all[name]
	if !ok {
		return nil, nil
	}
	const want = `a list of strings in quotes, the program first, such as ["mail", "-s", "backup", "root"]`
	list, ok := value.([]any)
	if !ok {
		return nil, v.wrong(name, want, value)
	}
	var words []string
	for _, item := range list {
		word, ok := item.(string)
		if !ok || strings.ContainsRune(word, 0) {
			return nil, v.wrong(name, want, value)
		}
		words = append(words, word)
	}
	return words, nil
}
