// Package run is one execution of a recipe, as far as it writes: the locks it
// holds, the guards it passes, what it mends first, how it keeps a backup, and
// how it sends what the off-site copy lacks.
//
// # Concepts
//
// A [World] is the only way to the outside: file system, programs, clock,
// locks, settings. A [Run] begins when a recipe first names a destination, and
// ends with [Run.Finish]. In between, always in this order:
//
//  1. Settings are read and checked, before any tool runs.
//  2. The sync state is opened, which keeps the Python program out for as long
//     as the run lasts.
//  3. Guards: ROOT_PATH must bear the marker that the config directory
//     remembers. If it does not, it is not mounted, or another disk: nothing
//     is registered, withdrawn or deleted.
//  4. [Run.Open] locks a destination and recovers it: what an interrupted run
//     left is removed, mended or set aside, and registrations of what never
//     came to be are withdrawn. The result is a [Place].
//  5. A backup is kept: made under a temporary name and fsynced, registered in
//     the sync state, renamed to its name, and recorded. Whatever instant a
//     crash picks, the backup is there and registered, or it is not there.
//  6. What is registered is sent, and marked as done.
//
// What fails to be sent stays registered, for the next run; the run goes on
// and ends with a [PendingError].
//
// # The life of a backup
//
// What was kept is read in one way, whatever for: [Run.Find] finds a state and
// [Run.WithState] has its artifact in a file, which is held against what was
// recorded when it was made. On that stand [Run.RestoreTree] and
// [Run.RestoreFile], [Run.Verify] and [Run.Drill]. They need neither the sync
// state nor the off-site copy, since a restore is done on a bad day.
//
// [Run.PlanPrune] and [Run.Prune] remove what no setting keeps. [Run.Begin] and
// the end of a run remember, in the config directory, what became of it, and
// tell it to whom the settings name; [Run.Status] looks at that.
package run
