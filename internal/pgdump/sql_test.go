package pgdump_test

import (
	"strings"
	"testing"

	"btw-backup/internal/pgdump"
)

func TestCreateFinder(t *testing.T) {
	const options = " WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C'"
	for _, name := range []string{`shop`, `"my shop"`, `"a"" WITH TEMPLATE = x"`, `""""`} {
		var f pgdump.CreateFinder
		for _, piece := range []string{"--\nSET x;\nCREATE DATA", "BASE " + name + options, ";\nCREATE TABLE", strings.Repeat("x", 1<<20)} {
			if _, err := f.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := f.Statement(`new "one"`)
		if want := `CREATE DATABASE "new ""one"""` + options + ";"; err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	for _, text := range []string{"", "CREATE TABLE x", "CREATE DATABASE x;", `CREATE DATABASE "x`, `CREATE DATABASE "x"" WITH TEMPLATE = y`} {
		var f pgdump.CreateFinder
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Statement("new"); err == nil {
			t.Errorf("%q: got %s, want an error", text, got)
		}
	}
}

func TestLiteral(t *testing.T) {
	for text, want := range map[string]string{"a": "'a'", "it's": "'it''s'", `a\'b`: ` E'a\\''b'`, "": "''"} {
		if got := pgdump.Literal(text); got != want {
			t.Errorf("Literal(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestWithoutExisting(t *testing.T) {
	const script = "CREATE ROLE a;\nALTER ROLE a WITH LOGIN;\nCREATE ROLE \"b c\";\nCREATE TABLESPACE s OWNER a LOCATION '/s';\n"
	rest, spaces := pgdump.WithoutExisting(script, "CREATE ROLE a;\nCREATE ROLE x;\n", "CREATE TABLESPACE pg_default \nCREATE TABLESPACE s \n")
	if want := "ALTER ROLE a WITH LOGIN;\nCREATE ROLE \"b c\";\n"; rest != want || spaces {
		t.Errorf("got %q, %v", rest, spaces)
	}
	if rest, spaces := pgdump.WithoutExisting(script, "\n", "CREATE TABLESPACE pg_default \n"); rest != script || !spaces {
		t.Errorf("got %q, %v", rest, spaces)
	}
}
