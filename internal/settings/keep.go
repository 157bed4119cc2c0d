package settings

import "fmt"

// keep reads which backups are to be kept.
func (v values) keep(b *Backup) (err error) {
	for _, setting := range []struct {
		name  string
		value *int
	}{
		{"KEEP_LAST", &b.Keep.Last},
		{"KEEP_DAILY", &b.Keep.Daily},
		{"KEEP_WEEKLY", &b.Keep.Weekly},
		{"KEEP_MONTHLY", &b.Keep.Monthly},
		{"KEEP_YEARLY", &b.Keep.Yearly},
	} {
		if *setting.value, err = v.count(setting.name, 0); err != nil {
			return err
		}
	}
	if b.Keep.Within, err = v.span("KEEP_WITHIN", 0); err != nil {
		return err
	}
	if b.Keep.Within < 0 {
		return v.wrong("KEEP_WITHIN", "a length of time that is not negative", v.all["KEEP_WITHIN"])
	}
	if b.PruneAfterBackup, err = v.flag(pruneSetting); err != nil {
		return err
	}
	if b.PruneAfterBackup && b.Keep.None() {
		return fmt.Errorf("%s: %s is set, but no setting that begins with KEEP_ says what to keep", v.file, pruneSetting)
	}
	return nil
}
