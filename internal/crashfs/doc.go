// Package crashfs is a file system in memory that can crash, for tests that
// want to know what a power cut leaves.
//
// # Concepts
//
// A file system is more than what a program sees of it. [FS] keeps two things:
// the tree as the running programs see it, in the page cache so to speak, and a
// journal of every change that led to it. Each change knows whether, and by
// which fsync, it became durable:
//
//   - a change of names (create, link, rename, exchange, remove) when the
//     directory was fsynced; one that concerns two names, such as a rename, is
//     one change, which is there or is not
//   - a change of bytes or attributes when the file itself was fsynced; its
//     name is not made durable by that. Some file systems are kinder, and
//     nobody should count on it
//
// Each change, and each fsync, is an [Event], and the instant before each event
// is a point at which the machine may crash; so is the middle of each write. As
// all that happened is in the journal, a program runs once, undisturbed, and
// every crash that it could have met is computed afterwards. There are two
// kinds:
//
//   - [FS.Kill]: the processes end. Nothing is lost, but what was not durable
//     is not durable yet: should the power fail later, it can still be lost.
//   - [FS.PowerCut]: what was not durable has the fate that a [Survival] gives
//     it. What then is there is all there is, and durable.
//
// What is durable survives always. Of the rest a survival may keep, lose, zero
// or tear whatever it likes, in every combination, since file systems promise
// nothing about their order. That is harsher than any one of them is.
//
// Errors are the other kind of trouble: a [Fault] makes an operation fail, once
// or from then on. An fsync that fails drops what it should have written, as
// Linux does: the next one succeeds, and the bytes are not on the disk.
//
// What an operation does and which error it returns is held to the real file
// system by a conformance test, which afero.MemMapFs fails. Nobody's rights are
// checked: it is root who works here.
package crashfs
