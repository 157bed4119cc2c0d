// Package artifact makes the one file that a run of a backup produces, and no
// more of it than is needed.
//
// # Concepts
//
// A producer, such as tar, writes a stream. An [Artifact] is the promise of
// that stream: making one runs nothing. There are two ways to redeem it.
//
// [Artifact.Spool] runs the producer and writes the stream to a file.
//
// [Artifact.Compare] runs the producer and reads the previous artifact beside
// it. If both are equal to the end, the answer is yes and not one byte was
// written. At the first difference the spool is begun: with what was equal so
// far, taken from the previous artifact, then with the rest of the stream. So
// the source is read once, whatever the answer, and the answer "no" leaves
// the spool behind.
//
// Either way the artifact counts only when the producer ended well and its
// output is whole: no comparison passes, and nothing is kept, on the output
// of a failed, empty or truncated producer.
//
// The stream may be stored as it is or compressed ([Form]); comparisons are
// always of the plain stream. Of a compressed artifact that has been recorded
// member by member ([tbz.Index]) the digests are compared, and the equal
// members are copied as they are: nothing is decompressed.
//
// pg_dump must write to a file itself, because it goes back in it. Such a
// producer ([Artifact.ProduceFile]) is always spooled first and compared then.
package artifact
