// Package durable makes files that survive a power cut.
//
// # Concepts
//
// A write is not on the disk when write(2) returns, and a name is not in its
// directory when rename(2) returns: the kernel keeps both in memory until
// fsync(2) is called, on the file for its bytes and on the directory for its
// names. A file that must be there after a power cut, whole or not at all, is
// therefore made in five steps, always in this order:
//
//  1. write it under a temporary name, in the directory where it will live
//  2. fsync the file
//  3. close it, since some file systems report a lost write only then
//  4. rename it to its final name, which replaces the old file in one instant
//  5. fsync the directory
//
// [WriteFile] does all five. [Publish] does the last two, for callers that
// made the file, or a whole directory, themselves and have something to do
// between the steps, such as registering the new name in a journal.
//
// Everything that btw-backup must not lose passes through this package. A
// test can therefore break the protocol in one place (leave out an fsync, a
// rename) and see whether the simulation of crashes notices.
//
// [FS] is the file system as the rest of the program sees it: afero's, and
// what afero lacks. [OS] is the real one.
package durable
