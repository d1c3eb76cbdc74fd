package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pulley/internal/cause"
	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/words"
)

// export asks where to, and writes images into that file.
func (p *Page) export(ids []string) {
	rows := p.rows(ids)
	if len(rows) == 0 {
		return
	}
	p.desk.Files.Save(lang.Say("images.export.title"), fileName(rows), func(path string) { p.exportTo(rows, path) })
}

// fileName is what to call the file.
func fileName(rows []*model.ImageRow) string {
	if len(rows) > 1 {
		return "images.tar"
	}
	name := rows[0].Short()
	if slash := strings.LastIndexByte(name, '/'); slash >= 0 {
		name = name[slash+1:]
	}
	return strings.NewReplacer(":", "-", "@", "-").Replace(name) + ".tar"
}

func (p *Page) exportTo(rows []*model.ImageRow, path string) {
	size, _ := model.Size(rows)
	name := lang.Say("images.count", "Count", len(rows))
	if len(rows) == 1 {
		name = rows[0].Short()
	}
	j, added := p.jobs.Add(model.NewJob(model.Exporting, name, path, size))
	if !added {
		return
	}
	e := control.Export{Images: namesOf(rows), Platforms: shared(rows)}
	p.run(j, func(d page.Daemon) func(ctx context.Context, moved func()) error {
		return func(ctx context.Context, moved func()) error {
			err := exportFile(ctx, d, e, path, func(n int64) { j.Moved(n); moved() })
			j.End("", err)
			return err
		}
	}, func(v model.JobView) {
		if v.Phase == model.Finished {
			p.desk.Toast(page.Toast{Text: lang.Say("images.exported", "Name", name, "File", filepath.Base(path), "Size", words.Bytes(v.Have))})
		}
	})
}

// namesOf are all names of images that the tar is to have them under.
func namesOf(rows []*model.ImageRow) (names []string) {
	for _, r := range rows {
		names = append(names, strings.Split(r.Full(), "\n")...)
	}
	return names
}

// shared are the platforms that are here of each of the images; none: that of the daemon's machine is asked for.
func shared(rows []*model.ImageRow) (platforms []string) {
	for _, platform := range rows[0].Platforms {
		name := platform.String()
		if !slices.ContainsFunc(rows, func(r *model.ImageRow) bool {
			return !slices.ContainsFunc(r.Platforms, func(p control.Platform) bool { return p.Complete && p.String() == name })
		}) && !slices.Contains(platforms, name) {
			platforms = append(platforms, name)
		}
	}
	return platforms
}

// exportFile writes a file that is there whole or not at all.
func exportFile(ctx context.Context, d page.Daemon, e control.Export, path string, moved func(int64)) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", path, cause.Bare(err))
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = d.Export(ctx, e, &meter{w: f, moved: moved})
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", path, cause.Bare(err))
	}
	return nil
}

// meter says how much went through it.
type meter struct {
	w     io.Writer
	n     int64
	moved func(int64)
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.n += int64(n)
	m.moved(m.n)
	return n, err
}

// importFile asks for a tar and takes the images out of it.
func (p *Page) importFile() {
	p.desk.Files.Open(lang.Say("images.import.title"), tars, p.importTar)
}

func (p *Page) importTar(path string) {
	j, added := p.jobs.Add(model.NewJob(model.Importing, filepath.Base(path), path, -1))
	if !added {
		return
	}
	var imported control.Imported
	p.run(j, func(d page.Daemon) func(ctx context.Context, moved func()) error {
		return func(ctx context.Context, moved func()) error {
			var err error
			imported, err = readTar(ctx, d, path, j, moved)
			j.End("", err)
			return err
		}
	}, func(v model.JobView) {
		if v.Phase != model.Finished {
			return
		}
		names := imported.Images
		p.desk.Toast(page.Toast{Text: lang.Say("images.imported", "Count", len(names), "File", filepath.Base(path),
			"Images", some(names, func(n int) string { return model.FamiliarRef(names[n]) }))})
	})
}

func readTar(ctx context.Context, d page.Daemon, path string, j *model.Job, moved func()) (control.Imported, error) {
	f, err := os.Open(path) //nolint:gosec // the file that the person chose
	if err != nil {
		return control.Imported{}, fmt.Errorf("%s: cannot be read: %w", path, cause.Bare(err))
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return control.Imported{}, fmt.Errorf("%s: cannot be read: %w", path, cause.Bare(err))
	case info.IsDir():
		return control.Imported{}, fmt.Errorf("%s: is a folder; want a tar", path)
	}
	j.Sized(info.Size())
	return d.Import(ctx, f, func(i control.Importing) {
		j.Moved(i.Bytes)
		moved()
	})
}
