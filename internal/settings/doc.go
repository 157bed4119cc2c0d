// Package settings reads and makes what lies in the config directory.
//
// # Concepts
//
// The config directory, ~/.btw-backup unless told otherwise, holds config.py,
// the general configuration; one working directory for each tree that is
// backed up, NAME.HASH, with its own config.py; and settings for databases.
// The files are Python by name, from the program that this one replaces, and
// plain assignments in practice: the caller brings an evaluator.
//
// A name that is no setting is let be, because installations carry some that
// this program has no use for. A name that is nearly a setting's is an error:
// a misspelt MAX_INCREMENTAL_COUNT would silently mean the default.
//
// Recipes and settings decide what root runs. When we are root, a file that
// somebody else may write is therefore refused, and so is one in a directory
// that somebody else may write.
package settings
