package run

import (
	"io/fs"
	"os/user"
	"strconv"
	"strings"

	"btw-backup/internal/durable"
)

// Owner is who is to own what a run makes; -1 leaves one of the two as it is.
type Owner struct{ UID, GID int }

// ParseOwner reads what chown takes: "user", "user:", "user:group", ":group",
// each a name or a number. "user:" stands for the user's login group.
func ParseOwner(text string) (*Owner, error) {
	o := &Owner{UID: -1, GID: -1}
	name, group, both := strings.Cut(text, ":")
	if text == "" {
		return nil, Refuse("-u: the owner is empty")
	}
	var login string
	if name != "" {
		uid, gid, err := lookUpUser(name)
		if err != nil {
			return nil, Refuse("-u %s: %v", text, err)
		}
		o.UID, login = uid, gid
	}
	switch {
	case group != "":
		gid, err := lookUpGroup(group)
		if err != nil {
			return nil, Refuse("-u %s: %v", text, err)
		}
		o.GID = gid
	case both && name == "":
		return nil, Refuse("-u %s: names neither a user nor a group", text)
	case both && login == "":
		return nil, Refuse("-u %s: user %s is not known here, so has no login group: write %s:GROUP", text, name, name)
	case both:
		gid, err := strconv.Atoi(login)
		if err != nil {
			return nil, Refuse("-u %s: the login group %q is no number", text, login)
		}
		o.GID = gid
	}
	return o, nil
}

// lookUpUser returns a user's number and the number of the login group, which
// is "" for a number that belongs to nobody.
func lookUpUser(name string) (uid int, login string, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		number, ok := number(name)
		if !ok {
			return 0, "", err
		}
		if u, err = user.LookupId(name); err != nil {
			return number, "", nil //nolint:nilerr // chown, too, takes a number that is nobody's
		}
	}
	uid, err = strconv.Atoi(u.Uid)
	return uid, u.Gid, err
}

func lookUpGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		if gid, ok := number(name); ok {
			return gid, nil
		}
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// number reads a user's or group's number. 4294967295 means "leave it" to
// the kernel, so it is none.
func number(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return int(n), err == nil && n < 1<<32-1
}

// own gives the tree at name to the owner.
func (o *Owner) own(fsys durable.FS, name string) error {
	if o == nil {
		return nil
	}
	return durable.Walk(fsys, name, func(name string, info fs.FileInfo) error {
		if !o.changes(info) {
			return nil // it may be a link of one that is published
		}
		return fsys.Lchown(name, o.UID, o.GID)
	})
}

// changes tells whether a file is not the owner's yet.
func (o *Owner) changes(info fs.FileInfo) bool {
	if o == nil {
		return false
	}
	uid, gid, ok := durable.OwnerOf(info)
	return !ok || o.UID >= 0 && o.UID != uid || o.GID >= 0 && o.GID != gid
}
