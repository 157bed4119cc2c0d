package s3cfg

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// AttrsHeader is the metadata of an object that its [Attrs] stand in, without
// the x-amz-meta- before it that S3 gives to all metadata. Of an object in
// parts, it goes with the request that begins them.
const AttrsHeader = "s3cmd-attrs"

// Attrs are what s3cmd keeps of a file beside its content: by name, the text
// that stands for it. In an object's metadata they are
//
//	atime:1795411060/ctime:1779294449/gid:0/gname:root/md5:28f1…/mode:33188/mtime:1779294449/uid:0/uname:root
//
// Times are whole seconds, mode is all of st_mode in decimal, uname and gname
// are percent-encoded, md5 is in lower-case hexadecimal digits. Names that are
// not known are kept.
//
// s3cmd falls over a pair without a colon or with two, and over metadata that
// is empty: what [Attrs.String] makes has none of these.
type Attrs map[string]string

// MD5Attr is the name of the content's MD5 among the attributes.
const MD5Attr = "md5"

// Names tells the name of a user and of a group, and whether there is one.
// They are asked for every file.
type Names struct {
	User, Group func(id uint32) (name string, known bool)
}

// FileAttrs returns the attributes of a file and the MD5 of its content. Where
// info knows no owner, as in a simulation, there is none.
func FileAttrs(info fs.FileInfo, md5 string, names Names) Attrs {
	a := Attrs{MD5Attr: strings.ToLower(md5)}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		a.number("mode", int64(statMode(info.Mode())))
		a.number("mtime", info.ModTime().Unix())
		return a
	}
	a.number("mode", int64(stat.Mode))
	a.number("atime", int64(stat.Atim.Sec))
	a.number("mtime", int64(stat.Mtim.Sec))
	a.number("ctime", int64(stat.Ctim.Sec))
	a.number("uid", int64(stat.Uid))
	a.number("gid", int64(stat.Gid))
	a.name("uname", names.User, stat.Uid)
	a.name("gname", names.Group, stat.Gid)
	return a
}

func (a Attrs) number(key string, n int64) { a[key] = strconv.FormatInt(n, 10) }

func (a Attrs) name(key string, lookup func(uint32) (string, bool), id uint32) {
	if lookup == nil {
		return
	}
	if name, known := lookup(id); known && name != "" {
		a[key] = percentEncode(name)
	}
}

// percentEncode encodes all but letters, digits and -._~ of ASCII. s3cmd
// leaves a slash as it is as well, and cannot read what it then wrote.
func percentEncode(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// statMode makes the st_mode of a file's mode.
func statMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	for _, bit := range []struct {
		is   fs.FileMode
		stat uint32
	}{
		{fs.ModeSetuid, syscall.S_ISUID}, {fs.ModeSetgid, syscall.S_ISGID}, {fs.ModeSticky, syscall.S_ISVTX},
	} {
		if m&bit.is != 0 {
			mode |= bit.stat
		}
	}
	switch {
	case m.IsRegular():
		mode |= syscall.S_IFREG
	case m.IsDir():
		mode |= syscall.S_IFDIR
	}
	return mode
}

// ParseAttrs reads what stands in an object's metadata. What it does not
// understand it passes over.
func ParseAttrs(text string) Attrs {
	a := Attrs{}
	for pair := range strings.SplitSeq(text, "/") {
		if key, value, ok := strings.Cut(pair, ":"); ok && isAttr(key) && isAttr(value) {
			a[key] = value
		}
	}
	return a
}

// String returns what is to stand in an object's metadata. If it is empty
// there is to be no such metadata.
func (a Attrs) String() string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if isAttr(key) && isAttr(a[key]) {
			pairs = append(pairs, key+":"+a[key])
		}
	}
	return strings.Join(pairs, "/")
}

// isAttr tells whether a name or a value can stand in metadata, and be found
// there by s3cmd.
func isAttr(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '/' || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// MD5 returns the MD5 of the content in lower-case hexadecimal digits, empty
// if there is none or it is none.
func (a Attrs) MD5() string {
	sum := strings.ToLower(a[MD5Attr])
	if len(sum) != 32 || strings.Trim(sum, "0123456789abcdef") != "" {
		return ""
	}
	return sum
}

// Number returns an attribute that is a number: mode, mtime, uid, …
func (a Attrs) Number(key string) (int64, bool) {
	n, err := strconv.ParseInt(a[key], 10, 64)
	return n, err == nil
}
