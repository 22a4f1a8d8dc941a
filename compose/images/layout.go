package images

import "strings"

// layout is where tables and keys stand in the text of a lock file: the TOML
// library keeps no positions of what it decoded. It is exact for files as Print
// writes them, and names the first line for what is written in another way.
type layout struct {
	tables  []place            // of each [[image]]
	keys    []map[string]place // of each [[image]], its keys
	first   map[string]place   // of each key, where it stands first in the file
	tooLong int                // the first line that is longer than maxLine; 0 for none
	tooDeep int                // the first line inside more than maxDepth brackets; 0 for none
}

// place is a line and a column, both from 1.
type place struct{ line, column int }

func layoutOf(text string) layout {
	l := layout{first: map[string]place{}}
	n, depth := 0, 0
	for line := range strings.Lines(text) {
		n++
		if len(line) > maxLine && l.tooLong == 0 {
			l.tooLong = n
		}
		depth += strings.Count(line, "[") - strings.Count(line, "]")
		if depth > maxDepth && l.tooDeep == 0 {
			l.tooDeep = n
		}
		trimmed := strings.TrimLeft(line, " \t")
		at := place{n, len(line) - len(trimmed) + 1}
		if strings.HasPrefix(trimmed, "[[") {
			l.tables = append(l.tables, at)
			l.keys = append(l.keys, map[string]place{})
			continue
		}
		l.pair(strings.Trim(trimmed, "[] \t\r\n"), at)
	}
	return l
}

// pair notes the key of a line, or the name of a table.
func (l *layout) pair(line string, at place) {
	name, _, _ := strings.Cut(line, "=")
	name = strings.Trim(strings.TrimSpace(name), `"'`)
	if _, seen := l.first[name]; !seen {
		l.first[name] = at
	}
	if len(l.keys) > 0 {
		l.keys[len(l.keys)-1][name] = at
	}
}

// expect forgets the places of tables when the file has another number of them
// than the lines seemed to say.
func (l *layout) expect(tables int) {
	if len(l.tables) == tables {
		return
	}
	l.tables, l.keys = make([]place, tables), make([]map[string]place, tables)
	for i := range l.tables {
		l.tables[i] = place{1, 1}
	}
}

func (l layout) table(i int) place { return l.tables[i] }

// key is where a key of table i stands; where the table does when it has none.
func (l layout) key(i int, name string) place {
	if at, found := l.keys[i][name]; found {
		return at
	}
	return l.tables[i]
}

// unknown is where a key stands first that may be in any table.
func (l layout) unknown(name string) place {
	if at, found := l.first[name]; found {
		return at
	}
	return place{1, 1}
}
