package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"btw-backup/internal/destination"
	"btw-backup/internal/retention"
	"btw-backup/internal/syncstate"
)

// PrunePlan is what is to be removed from a destination.
type PrunePlan struct {
	Dst       string
	Decisions []retention.Decision
}

// Removed returns the names of the backups that go.
func (p PrunePlan) Removed() []string {
	var names []string
	for _, d := range p.Decisions {
		if !d.Keep && !slices.Contains(names, d.Group) {
			names = append(names, d.Group)
		}
	}
	return names
}

// PlanPrune decides what is to be removed from a destination, by the settings
// of what is backed up to it. If anything is, all of the destination is verified
// first: what is damaged counts for nothing. Nothing is removed yet.
func (r *Run) PlanPrune(ctx context.Context, dst string) (PrunePlan, error) {
	clean, err := r.realName(dst)
	if err != nil {
		return PrunePlan{}, err
	}
	plan := PrunePlan{Dst: clean}
	policy, err := r.policy(clean)
	if err != nil {
		return plan, err
	}
	contents, err := r.Look(clean)
	if err != nil {
		return plan, err
	}
	bad := map[string]string{}
	for _, odd := range contents.Odd {
		bad[odd.Name] = odd.Why
	}
	decide := func() { plan.Decisions = retention.Plan(items(contents, bad), policy) }
	decide()
	if len(plan.Removed()) == 0 {
		return plan, nil
	}
	if p := r.places[clean]; p != nil {
		if err := p.close(ctx); err != nil {
			return plan, err
		}
	}
	checked, err := r.Verify(ctx, clean, false, false)
	if err != nil {
		return plan, err
	}
	if len(checked.Gone) > 0 {
		// The off-site copy of the destination is made equal to it, and what is
		// gone here may be there.
		return plan, Refuse("%s: %s is listed and gone: bring it back from off-site, or, if you removed it: btw-backup verify --forget %s",
			clean, strings.Join(checked.Gone, ", "), clean)
	}
	if checked.Backups == 0 {
		return plan, Refuse("%s cannot be verified: nothing is pruned", clean)
	}
	maps.Copy(bad, checked.Bad)
	decide()
	return plan, nil
}

// policy returns what the settings say is to be kept.
func (r *Run) policy(dst string) (retention.Policy, error) {
	source := r.sources[dst]
	if source == "" {
		h, err := r.Remembered(dst)
		if err != nil {
			return retention.Policy{}, err
		}
		source = h.Source
	}
	if source == "" {
		return retention.Policy{}, Refuse("%s: it is not known yet whose settings count: that is remembered with its next backup", dst)
	}
	s, err := r.Config.Of(source)
	return s.Keep, Refused(err)
}

// items returns the states of a destination, to be decided on.
func items(contents destination.Contents, bad map[string]string) []retention.Item {
	var all []retention.Item
	for _, s := range contents.States() {
		name := s.Backup.Name()
		all = append(all, retention.Item{Name: s.Name(), Group: name, Time: s.Time, Good: bad[name] == "", Why: bad[name]})
	}
	return all
}

// Prune removes what a plan says, if it still would. Each backup goes in one
// instant, and with its digests and records. The destination is registered to be
// synced: there its copies go when all is well here.
func (r *Run) Prune(ctx context.Context, plan PrunePlan) error {
	gone := plan.Removed()
	if len(gone) == 0 {
		return nil
	}
	p, err := r.Open(ctx, plan.Dst, nil)
	if err != nil {
		return err
	}
	// What stays must still be there as well: it is why the rest may go.
	for _, d := range plan.Decisions {
		if !slices.ContainsFunc(p.contents.Backups, func(b destination.Backup) bool { return b.Name() == d.Group }) {
			return Refuse("%s: %s has gone since the plan was made: nothing is pruned", p.Dst, d.Group)
		}
	}
	if err := r.state.Register(syncstate.Entry{Op: syncstate.Sync, Path: p.Dst + "/"}); err != nil {
		return err
	}
	for i, name := range gone {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := p.remove(name); err != nil {
			return fmt.Errorf("%s/%s could not be removed: %w", p.Dst, name, err)
		}
		r.Log.Info(fmt.Sprintf("removed %s/%s, %d of %d", p.Dst, name, i+1, len(gone)))
	}
	return p.rescan()
}

// remove removes a backup: first from the list of digests, so that a crash
// leaves none that is listed and gone; then its name, in one instant; and then
// what it was.
func (p *Place) remove(name string) error {
	list, err := readDigests(p.run.FS, p.Dir)
	if err != nil {
		return err
	}
	before := len(list)
	maps.DeleteFunc(list, func(file string, _ digest) bool { return file == name || strings.HasPrefix(file, name+"/") })
	if len(list) < before {
		if err := p.writeDigests(list); err != nil {
			return err
		}
	}
	temp := p.temp("prune")
	if err := p.run.FS.RemoveAll(temp); err != nil {
		return err
	}
	if err := p.publish(filepath.Join(p.Dir, name), filepath.Base(temp)); err != nil {
		return err
	}
	if err := p.run.FS.RemoveAll(temp); err != nil {
		return err
	}
	if err := p.rescan(); err != nil {
		return err
	}
	return p.removeOrphans()
}

// removeOrphans removes the records of states that are not there.
func (p *Place) removeOrphans() error {
	wanted := map[string]bool{}
	for _, s := range p.contents.States() {
		wanted[filepath.Base(recordName(s.Time))] = true
	}
	for _, odd := range p.contents.Odd {
		// Of what is no whole chain nobody knows which states it has.
		if !odd.Interrupted {
			return nil
		}
	}
	dir := filepath.Join(p.Dir, destination.RecordDir)
	entries, err := afero.ReadDir(p.run.FS, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !wanted[entry.Name()] && strings.HasSuffix(entry.Name(), destination.RecordSuffix) {
			if err := p.run.FS.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
