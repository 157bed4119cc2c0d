// Package s3cfg reads the file that s3cmd is configured with, so that a client
// written in Go reaches the same store in the same way and leaves the same
// objects there.
//
// # Concepts
//
// The file that S3CMD_CONFIG names belongs to s3cmd, and may be in use by it
// beside us: whatever s3cmd makes of a line, this package makes of it too, odd
// corners included (see lines.go). A [Config] is what a client needs of that,
// with s3cmd's defaults put in and its units taken out: a bucket's [Endpoint],
// the region, what a server's certificate is checked against, the proxy, the
// size of parts, what is said of an object.
//
// s3cmd has a hundred options, and each has one of three fates, written down
// in options.go:
//
//   - used: it stands in a [Config]
//   - ignored: it has no bearing on what is stored, or is about deeds that no
//     backup does, and the reason stands beside it
//   - refused: it would change what is stored, and we cannot do the same. A
//     file that asks for it is an error that names the line and says what to
//     do. To pass over it would be a copy that its owner believes to be
//     another one.
//
// A test asks the s3cmd that is installed for its options, so that a new one
// is not overlooked. A name that s3cmd does not know means nothing to it, and
// nothing here.
//
// # Credentials
//
// They are looked for in the order of s3cmd: the file, the environment, and
// last the metadata of the machine, which a cloud's instance has a role from.
// Between these two stands ~/.aws/credentials, which s3cmd reads in theory
// only, when its own file cannot be opened.
//
// # What stands beside an object
//
// s3cmd keeps a file's attributes in the object's metadata: see [Attrs]. Their
// MD5 is the only one there is for an object that was sent in parts. The names
// that objects get are the business of internal/offsite.
//
// Nothing here knows the machine: files, environment and the network come
// from the caller.
package s3cfg
