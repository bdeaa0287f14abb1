package imapsearch

import (
	"context"

	"facteur/server/fault"
)

// Run returns the places of the messages of env.Snapshot that match p, which
// ascend. Messages that are gone by now match nothing that needs their text. It
// ends early, with the error of ctx, when ctx does.
//
// Messages are looked at in three passes: all with their records alone; those
// that the records don't decide with what is cached of them; those that need
// their text with their files. The last two are shared by two goroutines, which
// end before Run does.
func Run(ctx context.Context, env Env, p *Program) ([]int, error) {
	src := env.source()
	plan := newPlan(&env, src, p)
	if env.Limit > 0 && plan.to-plan.from > env.Limit {
		plan.from = plan.to - env.Limit
		if env.Limited != nil {
			env.Limited(env.Snapshot.At(plan.from).UID)
		}
	}
	found, open, err := records(ctx, &env, src, plan)
	if err != nil || len(open) == 0 {
		return found, err
	}
	w := watch{env: &env, total: plan.to - plan.from}
	w.done.Store(int64(w.total - len(open)))
	more := make([]verdict, len(open))
	err = w.spread(ctx, len(open), func(ctx context.Context, next func() (from, to int)) error {
		return examine(ctx, &env, src, plan, open, more, next, &w)
	})
	if err != nil {
		return nil, err
	}
	return merge(found, open, more), nil
}

// records decides what records can decide: found match, open may match.
func records(ctx context.Context, env *Env, src source, plan *plan) (found, open []int, err error) {
	j := newJudge(plan, src)
	c := candidate{}
	messages := env.Snapshot.Range(plan.from, plan.to)
	if plan.since > 0 && env.Newest == nil {
		messages = env.Snapshot.Changed(plan.since, plan.from, plan.to)
	}
	for i, rec := range messages {
		if i&4095 == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if c.place, c.rec = i, newestOf(rec, env.Newest); c.rec == nil {
			continue
		}
		switch j.verdict(&plan.root, &c) {
		case yes:
			found = append(found, i)
		case unknown:
			open = append(open, i)
		}
	}
	return found, open, ctx.Err()
}

// examine decides on the open places that next gives, into result.
func examine(ctx context.Context, env *Env, src source, plan *plan, open []int, result []verdict, next func() (from, to int), w *watch) error {
	r := src.reader()
	defer r.close()
	j := newJudge(plan, src)
	c := new(candidate)
	for {
		from, to := next()
		if from == to {
			return nil
		}
		for i := from; i < to; i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			*c = candidate{place: open[i], rec: newestOf(env.Snapshot.At(open[i]), env.Newest)}
			v, err := j.examine(ctx, r, c)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			result[i] = v
			w.done.Add(1)
		}
	}
}

// examine decides on one message. One that is gone does not match.
func (j *judge) examine(ctx context.Context, r reader, c *candidate) (verdict, error) {
	if j.summaries {
		s, err := r.summary(c.rec)
		if err != nil {
			return no, err
		}
		c.summary = s
		if v := j.verdict(&j.root, c); v != unknown {
			return v, nil
		}
	}
	return j.read(ctx, r, c)
}

// merge returns found and the open places that match, in order.
func merge(found, open []int, result []verdict) []int {
	n := 0
	for i, p := range open {
		if result[i] == yes {
			open[n] = p
			n++
		}
	}
	open = open[:n]
	if len(found) == 0 {
		return open
	}
	all := make([]int, 0, len(found)+n)
	for len(found) > 0 && len(open) > 0 {
		if found[0] < open[0] {
			all, found = append(all, found[0]), found[1:]
		} else {
			all, open = append(all, open[0]), open[1:]
		}
	}
	return append(append(all, found...), open...)
}
