package s3cfg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"btw-backup/internal/testkit/tools"
)

// python runs a program that has the S3 package of the s3cmd that is installed,
// and reads what it prints.
func python(t *testing.T, program string, input, output any, env ...string) {
	t.Helper()
	tools.Need(t, "s3cmd")
	s3cmd, err := tools.Find("s3cmd")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s3cmd)
	if err != nil {
		t.Fatal(err)
	}
	interpreter, ok := strings.CutPrefix(strings.SplitN(string(text), "\n", 2)[0], "#!")
	if !ok {
		t.Fatalf("%s is no script", s3cmd)
	}
	given, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	words := append(strings.Fields(interpreter), "-c", "import sys, json, os\nsys.path += ['/usr/share/s3cmd', '/usr/lib/python3/dist-packages']\n"+program)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append([]string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stdin = bytes.NewReader(given)
	cmd.Stderr = t.Output()
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, output); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
}

// TestEveryOption asks s3cmd for its options: each has one fate, those that are
// used have s3cmd's kind and default.
func TestEveryOption(t *testing.T) {
	var theirs map[string]struct {
		Kind    string
		Default string
	}
	python(t, `
import types
from S3.Config import Config
print(json.dumps({
    o: {"kind": type(getattr(Config, o)).__name__, "default": str(getattr(Config, o))}
    for o in dir(Config)
    if not o.startswith("_") and not isinstance(getattr(Config, o), types.FunctionType)
}))`, nil, &theirs)
	if len(theirs) < 100 {
		t.Fatalf("s3cmd has %d options only", len(theirs))
	}
	kinds := map[kind]string{text: "str", host: "str", boolean: "bool", integer: "int", rate: "int", perhaps: "NoneType", header: "str"}
	check := func(name string, k kind, value string) {
		o := theirs[name]
		if kinds[k] != o.Kind || value != o.Default {
			t.Errorf("%s: is %s %q, and of s3cmd %s %q", name, kinds[k], value, o.Kind, o.Default)
		}
	}
	ours := map[string]int{}
	for name, o := range used {
		ours[name]++
		check(name, o.kind, o.value)
	}
	for name, o := range refused {
		ours[name]++
		check(name, o.kind, o.value)
	}
	for _, group := range ignored {
		for _, name := range group.names {
			ours[name]++
		}
	}
	for name := range theirs {
		if ours[name] != 1 {
			t.Errorf("%s: an option of s3cmd's, has %d fates", name, ours[name])
		}
		if fate, why := FateOf(name); fate == "" || fate != Used && why == "" {
			t.Errorf("%s: %q %q", name, fate, why)
		}
	}
	for name := range ours {
		if _, ok := theirs[name]; !ok {
			t.Errorf("%s: no option of s3cmd's", name)
		}
	}
	if fate, _ := FateOf("no_such"); fate != "" {
		t.Errorf("no_such: %s", fate)
	}
}

// comparedEnv is what the generated files refer to.
var comparedEnv = []string{"V_TRUE", "yes", "V_NUMBER", "12", "V_HOST", "https://h.example", "V_HOP", "$V_NUMBER", "V_EMPTY", "", "V_BLANK", " x "}

// generate makes a file of lines that are right, odd and wrong.
func generate(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	values := map[kind][]string{
		text:    {"x", "a b", "", "a=b", "é", "# x", "x # y", "%(x)s", "'x'", `"x`, `x"`, "$V_HOST", "$V_EMPTY", "$V_NONE", "$", "$V_BLANK", "\u00a0x\u3000", "a\x0bb\x1d"},
		host:    {"h", "http://h", "https://h:1/", "HTTP://h", "http://https://h", "$V_HOST", "$V_NONE", "%(bucket)s.h", ""},
		boolean: {"True", "yes", "ON", "1", "False", "no", "Off", "0", "$V_TRUE", "$V_NONE"},
		integer: {"1", "15", "+3", "-2", "1_0", " 7 ", "$V_NUMBER", "$V_HOP", "$V_NONE", "007"},
		rate:    {"0", "5", "10k", "1M", "3 k", "-1m", "$V_NUMBER", "1_0K"},
	}
	bad := map[kind][]string{
		text: {"x"}, host: {"x"}, boolean: {"", "maybe", "2", "$V_EMPTY", "t"},
		integer: {"", "x", "1.5", "1__0", "_1", "0x1", "$V_HOST", "1e3"}, rate: {"", "k", "0k", "1g", "1kk", "5 k ", "$V_HOST"},
	}
	names := slices.Sorted(maps.Keys(used))
	var b strings.Builder
	for range 1 + r.IntN(12) {
		name := pick(names)
		from := values
		if r.IntN(40) == 0 {
			from = bad
		}
		value := pick(from[used[name].kind])
		value = fmt.Sprintf(pick([]string{"%s", "%s", "%s", "%s ", "\t%s", `"%s"`, `" %s "`}), value)
		if used[name].kind == text && r.IntN(8) == 0 {
			value += pick([]string{`" `, `"x" `, "\t"})
		}
		b.WriteString(pick([]string{"", "", "", "", " ", "\t", "# ", ";", "[x]", "\ufeff"}))
		b.WriteString(name)
		b.WriteString(pick([]string{" = ", " = ", "=", "  =\t", " ", ":", " =="}))
		b.WriteString(value)
		b.WriteString(pick([]string{"\n", "\n", "\n", "\r\n", "\r", "\n\n[default]\n", "\n[]\n", "\n# c\n"}))
	}
	return b.String()
}

// effective gives what options are set to, as s3cmd prints them; nothing if
// s3cmd would not take the file.
func effective(t *testing.T, file string) map[string]string {
	t.Helper()
	entries, notes, err := parseLines("f", strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	v := &values{file: "f", env: envOf(comparedEnv...), entries: entries, notes: notes}
	all := map[string]string{}
	for name, o := range used {
		switch o.kind {
		case boolean:
			all[name] = "False"
			if v.boolean(name) {
				all[name] = "True"
			}
		case integer:
			all[name] = strconv.FormatInt(v.integer(name, -1<<62, 1<<62), 10)
		case rate:
			n, ok := parseRate(v.value(name, o.value))
			if !ok {
				v.fail(name, "wrong")
			}
			all[name] = strconv.FormatInt(n, 10)
		default:
			all[name] = v.text(name)
		}
	}
	if v.err() != nil {
		return nil
	}
	return all
}

// TestAgainstS3cmd reads generated files by s3cmd's own code and by ours.
func TestAgainstS3cmd(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	files := make([]string, 2000)
	for i := range files {
		files[i] = generate(r)
	}
	var env []string
	for i := 0; i < len(comparedEnv); i += 2 {
		env = append(env, comparedEnv[i]+"="+comparedEnv[i+1])
	}
	var theirs []map[string]string
	python(t, `
import logging, tempfile
logging.disable(logging.CRITICAL)
from S3.Config import Config
config = Config()
before = {o: getattr(Config, o) for o in config.option_list()}
results = []
with tempfile.TemporaryDirectory() as d:
    for text in json.load(sys.stdin):
        for o, value in before.items():
            setattr(Config, o, value)
        with open(d + "/f", "w", encoding="UTF-8", newline="") as f:
            f.write(text)
        try:
            config.read_config_file(d + "/f")
            results.append({o: str(getattr(config, o)) for o in before})
        except ValueError:
            results.append(None)
print(json.dumps(results))`, files, &theirs, env...)
	wrong := 0
	for i, file := range files {
		ours := effective(t, file)
		if theirs[i] == nil {
			wrong++
		}
		if (ours == nil) != (theirs[i] == nil) {
			t.Errorf("%q:\nours   %v\ns3cmd's %v", file, ours, theirs[i])
		}
		for name, value := range ours {
			if theirs[i] != nil && theirs[i][name] != value {
				t.Errorf("%q: %s: ours %q, s3cmd's %q", file, name, value, theirs[i][name])
			}
		}
	}
	if wrong < 50 || wrong > len(files)/2 {
		t.Errorf("%d of %d files were wrong: no good measure", wrong, len(files))
	}
}

// TestDumpConfig compares with what the program itself says.
func TestDumpConfig(t *testing.T) {
	tools.Need(t, "s3cmd")
	text := "access_key = A\nsecret_key = \"S\"\nhost_base = http://localhost:9000\nhost_bucket=localhost:9000\nuse_https = off\n" +
		"limitrate = 2M\nbucket_location = EU\n[other]\nmultipart_chunk_size_mb=20\n# socket_timeout = 1\nstorage_class = \" X \"\n"
	file := filepath.Join(t.TempDir(), "s3cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("s3cmd", "--config="+file, "--dump-config")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, err := parseLines("dump", bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range effective(t, text) {
		if theirs[name].text != value {
			t.Errorf("%s: ours %q, s3cmd's %q", name, value, theirs[name].text)
		}
	}
	if !strings.HasPrefix(string(out), "[default]\n") {
		t.Errorf("got %s", out)
	}
}

// TestRulesOfS3cmd compares small rules: how a name is encoded, what can be
// part of a host's name, what attributes are read.
func TestRulesOfS3cmd(t *testing.T) {
	names := []string{"root", "a b", "DOM\\u", "é:+@", "~._-", "%41", "x\ty", "日本"}
	buckets := []string{"bucket", "ab", "abc", "Bucket", "a_b", "a.b", "a..b", "a-.b", "a.-b", "-ab", "ab-", "1.2.3.4", strings.Repeat("x", 63), strings.Repeat("x", 64), "", "é-é"}
	a := Attrs{"mtime": "5", "uname": percentEncode("é:+@ /"), "md5": emptyMD5, "bad": "x:y", "empty": ""}
	var theirs struct {
		Names   []string
		Buckets []bool
		Attrs   map[string]string
	}
	python(t, `
from S3 import Utils, S3
given = json.load(sys.stdin)
print(json.dumps({
    "names": [Utils.urlencode_string(n, unicode_output=True) for n in given["names"]],
    "buckets": [bool(Utils.check_bucket_name_dns_support("%(bucket)s.h", b)) for b in given["buckets"]],
    "attrs": S3.parse_attrs_header(given["attrs"]),
}))`, map[string]any{"names": names, "buckets": buckets, "attrs": a.String()}, &theirs)
	for i, name := range names {
		if got := percentEncode(name); got != theirs.Names[i] {
			t.Errorf("%q: ours %s, s3cmd's %s", name, got, theirs.Names[i])
		}
	}
	for i, bucket := range buckets {
		if got := isDNSName(bucket); got != theirs.Buckets[i] {
			t.Errorf("%q: ours %v, s3cmd's %v", bucket, got, theirs.Buckets[i])
		}
	}
	if want := (Attrs{"mtime": "5", "uname": a["uname"], "md5": emptyMD5}); !maps.Equal(theirs.Attrs, want) {
		t.Errorf("s3cmd reads %v, want %v", theirs.Attrs, want)
	}
}
