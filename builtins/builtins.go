// Package builtins holds the verbs that recipes call.
//
// # Concepts
//
// A recipe says the procedure of a backup; a verb does one step of it, the
// dangerous parts right. Each is declared once, in a file of its name: its
// parameters, its manual and its function. The reference, docs/builtins.md, is
// printed from these declarations.
//
// What verbs hand to each other:
//
//   - a destination, which is locked and recovered: see [run.Place]
//   - an artifact, which is a promise until it is compared or kept: see
//     [artifact.Artifact]
//   - a backup, which lies in a destination: see [destination.Backup]
//   - a state, which is a backup or one of the states of a chain, to be
//     restored: see [destination.State]
//   - settings, as they stand in the config directory
//
// A verb that keeps something has registered it in the sync state by then. So
// a recipe that forgets to send it loses nothing: the end of the run sends it.
package builtins

import (
	"fmt"

	"go.starlark.net/starlark"

	"btw-backup/internal/artifact"
	"btw-backup/internal/destination"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

// All returns the verbs, in the order of a backup, for recipes that run in r.
// A nil r will do to print their manual.
func All(r *run.Run) []starlib.Builtin {
	return []starlib.Builtin{
		filesystemSettings(r),
		databaseSettings(r),
		openDestination(r),
		tar(r),
		pgDump(r),
		pgDumpall(r),
		program(r),
		latest(r),
		compare(r),
		keep(r),
		rdiff(r),
		logUnchanged(r),
		s3Push(r),
		s3Sync(r),
		preview(r),
		registerAll(r),
		sendPending(r),
		backups(r),
		describe(r),
		stateAt(r),
		restoreTree(r),
		restoreFile(r),
		pgRestore(r),
		psqlGlobals(r),
		destinations(r),
		verify(r),
		drill(r),
		note(r),
		prunePlan(r),
		pruneNow(r),
		begin(r),
		ping(r),
		execute(r),
		statusOf(r),
		seconds(),
		recoveryFacts(r),
		writeFile(r),
	}
}

// Types of the values that verbs hand to each other.
const (
	destinationType = "destination"
	artifactType    = "artifact"
	backupType      = "backup"
	settingsType    = "settings"
	stateType       = "state"
	restoredType    = "restored"
	descriptionType = "description"
	checkedType     = "checked"
	statusType      = "status"
	planType        = "plan"
)

// place returns the destination that an argument is.
func place(c *starlib.Call, param string) *run.Place {
	p, ok := starlib.As[*run.Place](c.Value(param))
	if !ok {
		panic(fmt.Sprintf("parameter %s is no destination", param))
	}
	return p
}

// artifactOf returns the artifact that an argument is.
func artifactOf(c *starlib.Call, param string) *artifact.Artifact {
	a, ok := starlib.As[*artifact.Artifact](c.Value(param))
	if !ok {
		panic(fmt.Sprintf("parameter %s is no artifact", param))
	}
	return a
}

func artifactValue(a *artifact.Artifact) starlark.Value {
	return starlib.NewObject(artifactType, starlark.StringDict{"name": starlark.String(a.Name)}, a)
}

// shownBackup is a backup that shows itself by its path.
type shownBackup struct{ destination.Backup }

func (b shownBackup) String() string { return b.Path() }

func backupValue(r *run.Run, b destination.Backup) starlark.Value {
	increments := make([]starlark.Value, len(b.Increments))
	for i, t := range b.Increments {
		increments[i] = starlark.String(destination.Name(t))
	}
	return starlib.NewObject(backupType, starlark.StringDict{
		"name":       starlark.String(b.Name()),
		"path":       starlark.String(b.Path()),
		"kind":       starlark.String(b.Kind),
		"age":        starlark.MakeInt64(int64(r.Clock.Now().Sub(b.Time).Seconds())),
		"increments": starlark.NewList(increments),
	}, shownBackup{b})
}

// backupOf returns the backup that an argument is; ok is false for None.
func backupOf(c *starlib.Call, param string) (b destination.Backup, ok bool) {
	shown, ok := starlib.As[shownBackup](c.Value(param))
	return shown.Backup, ok
}
