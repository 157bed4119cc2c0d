package crashfs_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stories are what is done.
var stories = map[string]func(p *player){
	"files are made, written, read and replaced": func(p *player) {
		p.write("a", "hello")
		p.read("a")
		p.write("a", "bye")
		p.read("a")
		p.stat("a")
		p.open("a", os.O_RDWR|os.O_CREATE|os.O_EXCL)
		p.open("b", os.O_RDWR)
		p.open("b/", os.O_RDWR|os.O_CREATE)
		p.read("nothing")
		p.list(".")
	},
	"nothing is made in a directory that is missing": func(p *player) {
		p.open("no/a", os.O_WRONLY|os.O_CREATE)
		p.mkdir("no/dir")
		p.symlink("x", "no/link")
		p.write("a", "x")
		p.rename("a", "no/a")
		p.link("a", "no/a")
		p.list(".")
	},
	"nothing lies below a file": func(p *player) {
		p.write("a", "x")
		p.open("a/b", os.O_WRONLY|os.O_CREATE)
		p.mkdir("a/b")
		p.mkdirAll("a/b/c")
		p.remove("a/b")
		p.stat("a/b")
		p.stat("a/")
		p.list("a")
		p.rename("a", "a/b")
	},
	"a directory that holds something stays": func(p *player) {
		p.mkdir("d")
		p.write("d/a", "x")
		p.remove("d")
		p.list("d")
		p.remove("d/a")
		p.remove("d")
		p.remove("d")
		p.stat("d")
	},
	"trees are made and removed": func(p *player) {
		p.mkdirAll("a/b/c")
		p.mkdirAll("a/b/c")
		p.write("a/b/f", "x")
		p.mkdirAll("a/b/f/g")
		p.symlink("/etc", "a/b/link")
		p.removeAll("a/b")
		p.list("a")
		p.removeAll("nothing")
		p.removeAll("nothing/at/all")
		p.write("f", "x")
		p.removeAll("f/x")
		p.removeAll("f")
		p.list(".")
	},
	"appending goes to the end, wherever that is": func(p *player) {
		p.write("a", "one")
		f := p.open("a", os.O_WRONLY|os.O_APPEND)
		_, err := f.Seek(0, io.SeekStart)
		p.saw(err, "seek")
		p.saw(second(f.Write([]byte("two"))), "write")
		g := p.open("a", os.O_RDWR|os.O_APPEND)
		p.saw(second(f.Write([]byte("three"))), "write")
		p.saw(second(g.Write([]byte("four"))), "write")
		p.saw(second(g.WriteAt([]byte("x"), 0)), "writeat")
		p.saw(f.Truncate(2), "truncate")
		p.saw(second(g.WriteString("five")), "write")
		p.read("a")
	},
	"offsets, holes and lengths": func(p *player) {
		f := p.open("a", os.O_RDWR|os.O_CREATE)
		p.saw(second(f.WriteAt([]byte("x"), 5)), "writeat")
		p.read("a")
		p.saw(f.Truncate(8), "truncate")
		p.saw(f.Truncate(-1), "truncate")
		p.read("a")
		end, err := f.Seek(-2, io.SeekEnd)
		p.saw(err, "seek to %d", end)
		p.saw(second(f.Seek(-100, io.SeekCurrent)), "seek before the beginning")
		p.saw(second(f.Write([]byte("yy"))), "write")
		buf := make([]byte, 4)
		n, err := f.ReadAt(buf, 4)
		p.saw(err, "readat %q", buf[:n])
		n, err = f.ReadAt(buf, 6)
		p.saw(err, "readat %q", buf[:n])
		n, err = f.Read(buf)
		p.saw(err, "read %q", buf[:n])
		p.saw(second(f.ReadAt(buf, -1)), "readat before the beginning")
	},
	"handles outlive names": func(p *player) {
		p.write("a", "one")
		f := p.open("a", os.O_RDWR)
		p.remove("a")
		p.write("a", "other")
		content, err := io.ReadAll(f)
		p.saw(err, "read %q", content)
		p.saw(second(f.WriteString("more")), "write")
		info, err := f.Stat()
		p.saw(err, "stat %s", describe(info))
		p.rename("a", "b")
		p.read("b")
		p.saw(f.Close(), "close")
		p.saw(f.Close(), "close again")
		p.saw(second(f.Write([]byte("x"))), "write to what is closed")
		p.saw(f.Sync(), "sync what is closed")
	},
	"handles are for what they were opened for": func(p *player) {
		p.write("a", "one")
		p.mkdir("d")
		f := p.open("a", os.O_RDONLY)
		p.saw(second(f.Write([]byte("x"))), "write")
		p.saw(f.Truncate(0), "truncate")
		p.saw(f.Sync(), "sync")
		_, err := f.Readdir(-1)
		p.saw(err, "readdir of a file")
		g := p.open("a", os.O_WRONLY)
		p.saw(second(g.Read(make([]byte, 1))), "read")
		d := p.open("d", os.O_RDONLY)
		p.saw(second(d.Read(make([]byte, 1))), "read a directory")
		p.saw(d.Sync(), "sync a directory")
		p.open("d", os.O_RDWR)
		p.open("d", os.O_RDONLY|os.O_CREATE)
		p.open("d", os.O_WRONLY|os.O_TRUNC)
		p.open("a", os.O_RDONLY|syscall.O_DIRECTORY)
	},
	"renaming": func(p *player) {
		p.write("a", "one")
		p.write("b", "two")
		p.rename("a", "b")
		p.read("b")
		p.rename("a", "c")
		p.rename("b", "b")
		p.mkdir("d")
		p.mkdir("e")
		p.write("e/x", "x")
		p.rename("b", "d")
		p.rename("d", "b")
		p.rename("d", "e")
		p.rename("e", "d")
		p.rename("e", "e/f")
		p.rename("e", "f")
		p.rename("f", "d/f")
		p.rename("b", "d/f/y")
		p.list("d/f")
		p.list(".")
	},
	"hard links": func(p *player) {
		p.write("a", "one")
		p.link("a", "b")
		p.link("a", "b")
		p.stat("a")
		f := p.open("b", os.O_WRONLY|os.O_APPEND)
		p.saw(second(f.WriteString("two")), "write")
		p.read("a")
		p.rename("a", "b")
		p.list(".")
		p.remove("a")
		p.stat("b")
		p.mkdir("d")
		p.link("d", "e")
		p.link("nothing", "e")
		p.symlink("b", "s")
		p.link("s", "t")
		p.readlink("t")
	},
	"symbolic links": func(p *player) {
		p.mkdir("d")
		p.write("d/a", "one")
		p.symlink("d", "l")
		p.symlink("d", "l")
		p.read("l/a")
		p.list("l")
		p.stat("l")
		p.stat("l/")
		p.readlink("l")
		p.readlink("d")
		p.readlink("nothing")
		p.symlink("l/../nothing", "dangling")
		p.stat("dangling")
		p.write("dangling", "made")
		p.read("nothing")
		p.open("dangling", os.O_RDONLY|syscall.O_NOFOLLOW)
		p.open("dangling", os.O_RDWR|os.O_CREATE|os.O_EXCL)
		p.symlink("x", "y")
		p.symlink("y", "x")
		p.stat("x")
		p.read("x")
		p.mkdir("y")
		p.remove("l")
		p.rename("dangling", "d/moved")
		p.read("d/moved")
		p.list("d")
		p.list(".")
	},
	"exchanging": func(p *player) {
		p.mkdir("d")
		p.write("d/a", "one")
		p.write("f", "two")
		p.exchange("d", "f")
		p.list(".")
		p.read("f/a")
		p.exchange("d", "nothing")
		p.exchange("nothing", "d")
		p.mkdir("e")
		p.write("e/b", "three")
		p.exchange("e", "f")
		p.list("e")
		p.exchange("e", "e")
		p.exchange("e", "e/a")
		p.list("f")
	},
	"modes, owners and times": func(p *player) {
		p.write("a", "x")
		p.mkdir("d")
		p.chmod("a", 0o640)
		p.chmod("d", 0o750|fs.ModeSetgid)
		p.chmod("nothing", 0o600)
		p.symlink("a", "l")
		p.chmod("l", 0o400)
		p.saw(p.fs.Chtimes(p.path("a"), time.Unix(1, 0), time.Unix(1e9, 5000)), "chtimes")
		info, err := p.fs.Stat(p.path("a"))
		p.saw(err, "a is of %v", info.ModTime().UTC())
		p.saw(p.fs.Chtimes(p.path("nothing"), time.Unix(1, 0), time.Unix(1, 0)), "chtimes")
		if os.Getuid() == 0 {
			p.saw(p.fs.Chown(p.path("l"), 12, 34), "chown")
			p.saw(p.fs.Lchown(p.path("l"), 56, -1), "lchown")
			p.saw(p.fs.Lchown(p.path("nothing"), 1, 1), "lchown")
		}
		for _, name := range []string{"a", "d", "l"} {
			p.stat(name)
		}
	},
	"directories are read in parts": func(p *player) {
		for _, name := range []string{"a", "b", "c"} {
			p.write(name, "")
		}
		d := p.open(".", os.O_RDONLY)
		count := 0
		for {
			entries, err := d.Readdir(2)
			count += len(entries)
			if err != nil {
				p.saw(err, "%d entries", count)
				break
			}
		}
		entries, err := d.Readdir(-1)
		p.saw(err, "%d more", len(entries))
		p.saw(second(d.Seek(0, io.SeekStart)), "again")
		names, err := d.Readdirnames(-1)
		slices.Sort(names)
		p.saw(err, "%q", names)
	},
	"names have limits": func(p *player) {
		p.write(strings.Repeat("n", 255), "x")
		p.write(strings.Repeat("n", 256), "x")
		p.mkdir(strings.Repeat("n", 256))
		p.stat(strings.Repeat("n/", 2100))
		p.rename(strings.Repeat("n", 255), strings.Repeat("n", 256))
		p.write("..x", "")
		p.stat("../" + filepath.Base(p.dir) + "/..x")
		p.list(".")
	},
}
