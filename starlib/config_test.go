package starlib_test

import (
	"reflect"
	"strings"
	"testing"

	"btw-backup/starlib"
)

func TestEvalConfig(t *testing.T) {
	type m = map[string]any
	tests := []struct {
		name, text string
		want       m
	}{
		{"nothing", "", m{}},
		{"settings", "PATH = \"/srv\"\nCOUNT=10\nRATE = 0.5\nON = True\nOFF = None\n", m{"PATH": "/srv", "COUNT": int64(10), "RATE": 0.5, "ON": true, "OFF": nil}},
		{"no line end", `X = "y"`, m{"X": "y"}},
		{"the last one counts", "X = 1\nX = 2\n", m{"X": int64(2)}},
		{"a condition", "X = 1\nif X > 0:\n    Y = 'yes'\nelse:\n    Y = 'no'\n", m{"X": int64(1), "Y": "yes"}},
		{"a private name", "_base = '/srv'\nX = _base + '/x'\n", m{"X": "/srv/x"}},
		{"lists", "X = ['a', 1]\nY = ('b',)\nZ = {'k': []}\n", m{"X": []any{"a", int64(1)}, "Y": []any{"b"}, "Z": m{"k": []any{}}}},
		{"formatting", "X = '%s/%d' % ('a', 1)\nY = '{}/x'.format('b')\n", m{"X": "a/1", "Y": "b/x"}},
		{"byte order mark", "\ufeffX = 1\n", m{"X": int64(1)}},
		{"Windows line ends", "# -*- coding: utf-8 -*-\r\nX = 1\r\nY = '''a\r\nb'''\r\n", m{"X": int64(1), "Y": "a\nb"}},
		{"old Macintosh line ends", "X = 1\rY = 2\r", m{"X": int64(1), "Y": int64(2)}},
		{"a coding line", "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nX = 'ä'\n", m{"X": "ä"}},
		{
			"prefixes", "u'''doc'''\nX = u'a'\nY = U\"b\"\nZ = ur'\\d'\nR = R'\\d'\nu = 'u'\nnou = u + 'x'\n",
			m{"X": "a", "Y": "b", "Z": `\d`, "R": `\d`, "u": "u", "nou": "ux"},
		},
		{"what only looks like a prefix", "X = 'u\"a\"' # u'x'\nY = \"\"\"u'b'\n'u\"c\" \"\"\"\n", m{"X": `u"a"`, "Y": "u'b'\n'u\"c\" "}},
		{
			"functions", "def f():\n    return 1\nX = f()\nY = len\nZ = b'x'\n",
			m{"f": starlib.Opaque{Type: "function"}, "X": int64(1), "Y": starlib.Opaque{Type: "builtin_function_or_method"}, "Z": starlib.Opaque{Type: "bytes"}},
		},
		{"printing", "print('x')\n", m{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := starlib.EvalConfig("c.py", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestEvalConfigErrors(t *testing.T) {
	const (
		starlark = "this file is read as Starlark: "
		advice   = starlark + `write plain assignments, such as NAME = "value"`
	)
	tests := []struct{ text, want string }{
		{"X = 1\n\nimport os\n", `c.py:3: "import os" is Python, and ` + advice},
		{"import os  # for the path\n", `c.py:1: "import os" is Python, and ` + advice},
		{"X = 1; import os\n", `c.py:1: "import os" is Python, and ` + advice},
		{"X = u'a'; import os\n", `c.py:1: "import os" is Python, and ` + advice},
		{"from os import path\n", `c.py:1: "from os import path" is Python, and ` + advice},
		{"class A:\n    X = 1\n", `c.py:1: "class A" is Python, and ` + advice},
		{"try:\n    X = 1\nexcept Exception:\n    pass\n", `c.py:1: "try" is Python, and ` + advice},
		{"with open('x') as f:\n    X = 1\n", `c.py:1: "with open('x') as f" is Python, and ` + advice},
		{"X = 1\ndel X\n", `c.py:2: "del X" is Python, and ` + advice},
		{"raise ValueError\n", `c.py:1: "raise ValueError" is Python, and ` + advice},
		{"X = 1\nassert X\n", `c.py:2: "assert X" is Python, and ` + advice},
		{"print 'x'\n", `c.py:1: "print 'x'" is Python, and ` + advice},
		{"@f\ndef g(): pass\n", `c.py:1: "@f" is Python, and ` + advice},
		{"X: str = 'a'\n", `c.py:1: "X: str = 'a'" is Python, and ` + advice},
		{"def f():\n    yield 1\n", `c.py:2: "yield 1" is Python, and ` + advice},
		{"X = os.environ['HOME']\n", `c.py:1: "os" is not defined, and ` + advice},
		{"X = open('x').read()\n", `c.py:1: "open" is not defined, and ` + advice},
		{"\nif __name__ == '__main__':\n    X = 1\n", `c.py:2: "__name__" is not defined, and ` + advice},
		{"while True:\n    pass\n", `c.py:1: while is Python, and ` + advice},
		{"load('x.star', 'x')\n", `c.py:1: load cannot be used here: ` + advice},
		{"X = 1\nif X:\n    load('x.star', 'x')\n", `c.py:3: load cannot be used here: ` + advice},
		{"X = f'/srv/{Y}'\n", `c.py:1: an f"..." string is Python, and ` + starlark + `write the text out, or join its parts with +`},
		{"X = rf'''a\nb'''\n", `c.py:2: an f"..." string is Python, and ` + starlark + `write the text out, or join its parts with +`},
		{"X = ('a'\n     'b')\n", `c.py:2: joining strings by writing them side by side is Python, and ` + starlark + `write + between them`},
		{"X = u'a' u'b'\n", `c.py:1: joining strings by writing them side by side is Python, and ` + starlark + `write + between them`},
		{"X = None\nif X is None:\n    X = 1\n", `c.py:2: the operator "is" is Python, and ` + starlark + `write == instead`},
		{"X = 2 ** 10\n", `c.py:1: the operator ** is Python, and ` + starlark + `write the number out`},
		{"X = Y = 1\n", `c.py:1: an assignment to two names is Python, and ` + starlark + `write a line for each`},
		{"X = {'a', 'b'}\n", `c.py:1: a set is Python, and ` + starlark + `write a list, such as ["a", "b"]`},
		{"X = set(['a'])\n", `c.py:1: a set is Python, and ` + starlark + `write a list, such as ["a", "b"]`},
		{"X = 10L\n", `c.py:1: a number with a letter or an underscore is Python, and ` + starlark + `write its digits only`},
		{"X = 1_000\n", `c.py:1: a number with a letter or an underscore is Python, and ` + starlark + `write its digits only`},
		{"X = '\\d'\n", `c.py:1: a backslash for itself is Python, and ` + starlark + `write \\`},
		{"X = 0600\n", `c.py:1: a number with a leading 0 is Python, and ` + starlark + `write 0o before an octal one`},

		{"X =\n", "c.py:1: got newline, want primary expression"},
		{"if True\n    X = 1\n", "c.py:1: got newline, want ':'"},
		{"X = 'a\n", "c.py:1: unexpected newline in string"},
		{"X = [1,\n", "c.py:2: got end of file, want ']'"},
		{"X = 1\n  Y = 2\n", "c.py:2: got indent, want primary expression"},
		{"X = 1\nY = X / 0\n", "c.py:2: floating-point division by zero"},
		{"X = 'a' + 1\n", "c.py:1: unknown binary op: string + int"},
		{"X = 1\nX = 1 << 70\n", "c.py:2: X: the number is too large"},
		{"X = {1: 2}\n", "c.py:1: X: a key of the dict: got int, want string"},
		{"X = []\nX.append(X)\n", "c.py:1: X: the value is too large, or contains itself"},
		{"X = [1]\nfor i in range(60):\n    X = [X, X]\n", "c.py:3: X: the value is too large, or contains itself"},
		{"for i in range(100000000):\n    pass\n", "c.py:1: it took 1000000 steps and did not end"},
		{"def f():\n    f()\nf()\n", "c.py:2: function f called recursively"},
		{"fail('no')\n", "c.py:1: no"},
		{"X = 1\nY = '\x00'\n", "c.py:2: the line contains a NUL byte"},
		{"X = 1\nY = '\xe4'\n", "c.py:2: the line is not UTF-8"},
		{strings.Repeat("#", 1<<19), "c.py: the file has 524288 bytes, and may have 262144"},
	}
	for _, tt := range tests {
		got, err := starlib.EvalConfig("c.py", []byte(tt.text))
		if err == nil {
			t.Errorf("%.60q: got %v, want %s", tt.text, got, tt.want)
		} else if err.Error() != tt.want {
			t.Errorf("%.60q:\ngot  %s\nwant %s", tt.text, err, tt.want)
		}
	}
}

// FuzzEvalConfig looks for a text that is answered with anything but settings or
// one line that begins with the file's name.
func FuzzEvalConfig(f *testing.F) {
	for _, text := range []string{
		"PATH = \"/srv\"\nCOUNT=10\nSPAN=\"24h\"\n",
		"\ufeffX = u'a'\r\nY = ur\"\\d\" 'b'\r\n",
		"import os\nX = os.environ['HOME']\n",
		"X = f'{a}' 'b'\nY: int = 3\n",
		"X = '''a\n'''\nif X:\n  Y = [1, 2.5, None, {'a': (True,)}]\n",
		"def f():\n  return 1\nX = f()\nX = [i for i in range(9)]\n",
		"X = []\nX.append(X)\nfail(X)\n",
		"fail('a\\n\\r\\nb')",
		"@x\nwhile 1_0L: 0777 ** {1,2} \\\n",
		"'\\\n\"\"\"\\",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		settings, err := starlib.EvalConfig("c.py", src)
		if err == nil {
			for name := range settings {
				if strings.HasPrefix(name, "_") {
					t.Errorf("the private name %s is there", name)
				}
			}
			return
		}
		if settings != nil {
			t.Errorf("got settings with the error %v", err)
		}
		if msg := err.Error(); !strings.HasPrefix(msg, "c.py") || strings.Contains(msg, "\n") {
			t.Errorf("got %q", msg)
		}
	})
}
