package offsite

import "context"

// Change is something that a Push or Sync would do.
type Change struct {
	Path   string // relative to ROOT_PATH; a key, where there is nothing of that name here
	Size   int64
	Delete bool
}

// differing is an engine that can tell whether something would be sent.
type differing interface {
	differs(ctx context.Context, one *put) (bool, error)
}

// preview shows what a plan would do.
func (b *base) preview(ctx context.Context, e differing, p *plan, show func(Change)) error {
	var errs []error
	for _, puts := range p.puts {
		for _, one := range puts {
			differs, err := false, one.blocked
			if err == nil {
				if one.info.IsDir() {
					differs = len(one.inWay) > 0
				} else {
					differs, err = e.differs(ctx, &one)
				}
			}
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			if err != nil {
				errs = append(errs, err)
			}
			if !differs {
				continue
			}
			for _, o := range one.inWay {
				if !o.kind.IsDir() {
					show(Change{o.path, o.size, true})
				}
			}
			if !one.info.IsDir() {
				show(Change{one.path, one.info.Size(), false})
			}
		}
	}
	for _, objects := range p.deletes {
		for _, o := range objects {
			if !o.kind.IsDir() {
				show(Change{o.path, o.size, true})
			}
		}
	}
	errs = append(errs, b.local.emptyErrors(p.empty)...)
	if err := b.tooMany(p.path, p.deletions(), p.listed); err != nil {
		errs = append(errs, err)
	}
	return together(errs)
}
