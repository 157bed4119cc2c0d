package builtins

import (
	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func pruneNow(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "prune",
		Doc: `Removes the backups that a plan does not keep.

Each goes in one instant, whole, with its digests and records. Before that the
destination is registered to be synced, so that its copies off-site go as well:
there DST is made equal to what is here. What has changed since the plan was
made is an error, and nothing is removed.`,
		Params: []starlib.Param{{Name: "decision", Type: "decision", Doc: "Any one of the plan, from prune_plan: it stands for all of it."}},
		Func: func(c *starlib.Call) (starlark.Value, error) {
			plan, ok := starlib.As[run.PrunePlan](c.Value("decision"))
			if !ok {
				panic("parameter decision is of no plan")
			}
			return nil, run.Consequence(r.Prune(c.Context, plan), "what is still there will be removed the next time")
		},
	}
}
