package builtins

import (
	"strings"

	"go.starlark.net/starlark"

	"btw-backup/internal/run"
	"btw-backup/starlib"
)

func prunePlan(r *run.Run) starlib.Builtin {
	return starlib.Builtin{
		Name: "prune_plan",
		Doc: `Decides which backups are kept, by the settings that begin with KEEP_.

They are those of the tree or database that was last backed up to the
destination. Without such a setting all is kept. If anything is to go, the
whole destination is verified first: what is damaged is kept, to be looked at,
and counts for nothing, and the newest good state is always kept. A chain is
kept if any of its states is. The run lets go of the destination meanwhile.

It returns a list with a decision for each state, in the order of time, with
the attributes name, backup, keep, and reason.`,
		Params:  []starlib.Param{{Name: "dst", Type: "string", Doc: "The directory, relative to ROOT_PATH."}},
		Returns: "list",
		Func: func(c *starlib.Call) (starlark.Value, error) {
			plan, err := r.PlanPrune(c.Context, c.String("dst"))
			if err != nil {
				return nil, err
			}
			values := make([]starlark.Value, len(plan.Decisions))
			for i, d := range plan.Decisions {
				values[i] = starlib.NewObject("decision", starlark.StringDict{
					"name":   starlark.String(d.Name),
					"backup": starlark.String(d.Group),
					"keep":   starlark.Bool(d.Keep),
					"reason": starlark.String(strings.Join(d.Reasons, ", ")),
				}, plan)
			}
			return starlark.NewList(values), nil
		},
	}
}
