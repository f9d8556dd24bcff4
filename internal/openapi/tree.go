package openapi

// Bounds of one schema tree.
const (
	maxTreeDepth = 10
	treeBytes    = 40 << 10 // JSON of a tree, when its operation has room
)

// forest makes schema trees, once for each schema and size.
type forest struct {
	shaper *shaper
	memo   map[treeKey]tree
	rows   int // made so far, in all trees
}

type treeKey struct {
	schema *node
	limit  int
}

type tree struct {
	root *Schema
	size int // bytes as JSON
}

func newForest(res *resolver) *forest {
	return &forest{
		shaper: &shaper{res: res, memo: map[*node]*shape{}},
		memo:   map[treeKey]tree{},
	}
}

// branch is a row whose children are still to come.
type branch struct {
	row   *Schema
	shape *shape
	up    *branch
	depth int
}

func (b *branch) above(id *node) bool {
	for ; b != nil; b = b.up {
		if b.shape.id == id {
			return true
		}
	}
	return false
}

// tree returns the tree of a schema in at most about limit bytes of JSON. Rows
// are added level by level, so that what is cut is the deepest.
func (f *forest) tree(n *node, limit int) tree {
	to := f.target(n)
	t := f.grown(to, limit)
	if to != n && t.root.Ref == "" {
		root := *t.root
		root.Ref = refName(ref(n))
		t.root = &root
	}
	return t
}

func (f *forest) grown(n *node, limit int) tree {
	key := treeKey{n, limit}
	if t, ok := f.memo[key]; ok {
		return t
	}
	sh := f.shaper.shape(n)
	root := sh.row
	t := tree{root: &root, size: sh.size}
	for queue := []*branch{{row: &root, shape: sh}}; len(queue) > 0; queue = queue[1:] {
		queue = append(queue, f.grow(queue[0], &t, limit)...)
	}
	f.memo[key] = t
	return t
}

// target follows a plain reference, so that all its uses share one tree.
func (f *forest) target(n *node) *node {
	if ref(n) != "" && len(n.kids) == 1 {
		if to := f.shaper.res.deref(n); to != nil {
			return to
		}
	}
	return n
}

// grow adds the children of one row and returns those that have children.
func (f *forest) grow(b *branch, t *tree, limit int) []*branch {
	if len(b.shape.kids) == 0 {
		if b.shape.clip {
			b.row.Cut = CutTruncated
		}
		return nil
	}
	if b.depth >= maxTreeDepth || t.size >= limit {
		b.row.Cut = CutTruncated
		return nil
	}
	if b.shape.clip {
		b.row.Cut = CutTruncated
	}
	var out []*branch
	b.row.Children = make([]*Schema, 0, min(len(b.shape.kids), 64))
	for _, k := range b.shape.kids {
		sh := f.shaper.shape(k.schema)
		size := sh.size + len(k.name) + 40
		if t.size+size > limit && len(b.row.Children) > 0 {
			b.row.Cut = CutTruncated
			break
		}
		row := sh.row
		row.Name, row.Required, row.Variant, row.MapValue = clipText(k.name, 200), k.required, k.variant, k.mapValue
		t.size += size
		f.rows++
		b.row.Children = append(b.row.Children, &row)
		next := &branch{row: &row, shape: sh, up: b, depth: b.depth + 1}
		if len(sh.kids) > 0 && b.above(sh.id) {
			row.Cut = CutRecursive
			continue
		}
		out = append(out, next)
	}
	return out
}

// rowSize is the length of the row as JSON, without children and name.
func (r *Schema) rowSize() int {
	n := 48 + len(r.Format) + len(r.Default) + len(r.Example) + len(r.Sample)
	for _, s := range [...]string{r.Type, r.Kind, r.Ref, r.Description} {
		n += textSize(s)
	}
	for _, list := range [...][]string{r.Enum, r.Constraints} {
		for _, s := range list {
			n += textSize(s) + 1
		}
	}
	for _, flag := range [...]bool{r.Nullable, r.Deprecated, r.ReadOnly, r.WriteOnly, r.Lists > 0} {
		if flag {
			n += 16
		}
	}
	return n
}

// textSize is the length of s as a JSON string with its name.
func textSize(s string) int {
	if s == "" {
		return 0
	}
	n := len(s) + 14
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n':
			n++
		case c < ' ' || c == '<' || c == '>' || c == '&':
			n += 5
		}
	}
	return n
}
