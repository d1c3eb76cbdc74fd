package imagelist

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
)

// composeFiles is a project as found on disk.
type composeFiles struct {
	dir   string             // project directory, absolute
	files []types.ConfigFile // read, names absolute; "-" for standard input
	env   types.Mapping
}

// find picks a project's files and its environment as docker compose does it
// (https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#ways-to-set-variables-with-interpolation).
func (p Project) find() (*composeFiles, error) {
	f := &composeFiles{env: types.NewMapping(p.Env)}
	paths := p.Paths
	start := cmp.Or(p.Dir, ".")
	if len(paths) == 1 && paths[0] != "-" {
		if info, err := os.Stat(paths[0]); err == nil && info.IsDir() {
			start, paths = paths[0], nil
		}
	}
	if len(paths) > 0 && p.Dir == "" && paths[0] != "-" {
		start = filepath.Dir(paths[0])
	}
	var err error
	if f.dir, err = filepath.Abs(start); err != nil {
		return nil, failed(start, err)
	}
	if err := f.dotenv(p.EnvFiles); err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		if paths, err = f.discover(p.Dir != "", p.EnvFiles); err != nil {
			return nil, err
		}
	}
	for _, path := range paths {
		if err := f.read(path, p); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *composeFiles) read(path string, p Project) error {
	if path == "-" {
		if p.Stdin == nil {
			return FileError{File: path, Text: "no standard input to read"}
		}
		data, err := read(p.Stdin, path)
		f.files = append(f.files, types.ConfigFile{Filename: path, Content: data})
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return failed(path, err)
	}
	data, err := readFile(path)
	if err != nil {
		return err
	}
	f.files = append(f.files, types.ConfigFile{Filename: abs, Content: data})
	return nil
}

// discover finds the files of a directory: COMPOSE_FILE, or the first of the names that Compose knows, there or in a
// directory above, with its override. The directory it is found in is the project's, unless that was given.
func (f *composeFiles) discover(fixed bool, envFiles []string) ([]string, error) {
	if v := f.env["COMPOSE_FILE"]; v != "" {
		var paths []string
		for _, p := range strings.Split(v, cmp.Or(f.env["COMPOSE_PATH_SEPARATOR"], string(os.PathListSeparator))) {
			if p != "-" && !filepath.IsAbs(p) {
				p = filepath.Join(f.dir, p)
			}
			paths = append(paths, p)
		}
		if !fixed && paths[0] != "-" {
			f.dir = filepath.Dir(paths[0])
		}
		return paths, f.dotenv(envFiles)
	}
	for dir := f.dir; ; dir = filepath.Dir(dir) {
		if main := first(dir, cli.DefaultFileNames); main != "" {
			paths := []string{main}
			if o := first(dir, cli.DefaultOverrideFileNames); o != "" {
				paths = append(paths, o)
			}
			if !fixed {
				f.dir = dir
			}
			return paths, f.dotenv(envFiles)
		}
		if dir == filepath.Dir(dir) {
			return nil, FileError{File: show(f.dir), Text: "no compose.yaml here or above; name the file"}
		}
	}
}

func first(dir string, names []string) string {
	for _, n := range names {
		p := filepath.Join(dir, n)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p
		}
	}
	return ""
}

// dotenv adds the variables of .env files to those that are there, which win. A file may be read twice: the second
// time nothing is new.
func (f *composeFiles) dotenv(files []string) (err error) {
	if len(files) == 0 {
		files = words(f.env["COMPOSE_ENV_FILES"])
	}
	if off, _ := strconv.ParseBool(f.env["COMPOSE_DISABLE_ENV_FILE"]); len(files) == 0 && !off {
		if p := first(f.dir, []string{".env"}); p != "" {
			files = []string{p}
		}
	}
	found := types.Mapping{}
	for _, file := range files {
		if err := f.envFile(file, found); err != nil {
			return err
		}
	}
	f.env.Merge(found)
	return nil
}

func (f *composeFiles) envFile(file string, found types.Mapping) (err error) {
	defer guard(show(file), &err)
	data, err := readFile(show(file))
	if err != nil {
		return err
	}
	more, err := dotenv.UnmarshalBytesWithLookup(data, func(k string) (string, bool) {
		if v, ok := f.env[k]; ok {
			return v, true
		}
		v, ok := found[k]
		return v, ok
	})
	if err != nil {
		return FileError{File: show(file), Text: oneLine(err.Error())}
	}
	for k, v := range more {
		found[k] = v
	}
	return nil
}
