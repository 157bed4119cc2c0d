package listing

import (
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// Tree is Dirs directories of Files files of Size bytes each, all zero. It
// takes no place where nobody looks: the file number i is known without the
// others.
type Tree struct{ Dirs, Files, Size int }

// Len is the number of files.
func (tree Tree) Len() int { return tree.Dirs * tree.Files }

// Path is the path of a file, by its number, relative to the tree's root.
// Paths are in the order of their bytes.
func (tree Tree) Path(i int) string {
	return fmt.Sprintf("%06d/%06d", i/tree.Files, i%tree.Files)
}

// MD5 is that of every file.
func (tree Tree) MD5() string { return fmt.Sprintf("%x", md5.Sum(make([]byte, tree.Size))) }

// Create makes the files below root, which must be there. They are sparse:
// 1,000,000 take 6 s in a file system in memory and 18 s on a disk.
func (tree Tree) Create(root string) error {
	workers := 2 * runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for dir := w; dir < tree.Dirs && errs[w] == nil; dir += workers {
				errs[w] = tree.createDir(root, dir)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (tree Tree) createDir(root string, dir int) error {
	if err := os.Mkdir(filepath.Join(root, filepath.Dir(tree.Path(dir*tree.Files))), 0o700); err != nil {
		return err
	}
	for i := dir * tree.Files; i < (dir+1)*tree.Files; i++ {
		f, err := os.OpenFile(filepath.Join(root, tree.Path(i)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Truncate(int64(tree.Size)), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
