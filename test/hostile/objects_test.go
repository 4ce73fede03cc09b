package hostile_test

import (
	"strings"
	"testing"
)

// Values that attack whoever looks at them: as a result, as a variable that is asked for, as an exception.

func TestHostile_Objects(t *testing.T) { launch(t, objects) }

// looked is an attack by an object of class Hostile, which is shown as a result, displayed and asked for as a variable.
func looked(name, code string) attack {
	return one(name, cell{
		runc: "ok", timeout: 4, locals: true,
		code: code + "\nhostile = Hostile()\nharmless = 7\ndisplay(hostile)\nhostile",
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if a.Locals["harmless"] != 7.0 {
				t.Errorf("the variable beside the hostile one is %v", a.Locals["harmless"])
			}
			if _, ok := a.Locals["hostile"]; !ok {
				t.Error("the hostile variable has no placeholder")
			}
			if a.Result["text/plain"] == nil && a.Truncated["result"] == 0 {
				t.Errorf("the result is %v, truncated %v", a.Result, a.Truncated)
			}
		},
	})
}

func raises(name, code string) attack {
	return one(name, cell{
		runc: "error", timeout: 10, code: code,
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if a.Exception == nil || a.Exception.Type == "" {
				t.Errorf("the exception is %+v", a.Exception)
			}
		},
	})
}

const hostileRepr = "class Hostile:\n    def __repr__(self):\n        "

var objects = onslaught{"Hostile objects", []attack{
	looked("ReprRaises", hostileRepr+"raise ValueError('no')"),
	looked("ReprRaisesBaseException", hostileRepr+"raise BaseException"),
	looked("ReprExits", hostileRepr+"sys.exit(0)"),
	looked("ReprNeverEnds", hostileRepr+"while True: pass"),
	looked("ReprIsNoString", hostileRepr+"return 7"),
	looked("ReprIsAGigabyte", hostileRepr+"return 'x' * 10**9").underSentry("ok oom crashed lost"),
	looked("ReprIsLong", hostileRepr+"return 'x' * 30_000_000"),
	looked("ReprOfLoneSurrogates", hostileRepr+"return '\\ud800' * 100"),
	looked("ReprPrints", hostileRepr+"print('printed'); return 'shown'"),
	looked("ReprChangesItsClass", "class Other: pass\n"+hostileRepr+"self.__class__ = Other; return 'changed'"),
	looked("ReprDeletesVariables", hostileRepr+"[globals().pop(name, None) for name in ('noise', 'Hostile')]; return 'gone'\nnoise = 1"),
	looked("ReprAddsVariables", hostileRepr+"globals().update({f'more{n}': n for n in range(100)}); return 'more'"),
	looked("ReprRecurses", hostileRepr+"return repr([self])"),
	one("ReprInterrupts", cell{runc: "ok", locals: true, code: hostileRepr + "raise KeyboardInterrupt\nhostile = Hostile()\nhostile"}),
	looked("ClassLies", "class Hostile:\n    __class__ = property(lambda self: 1 / 0)"),
	looked("AttributesRaise", "class Hostile:\n    def __getattribute__(self, name): raise BaseException(name)"),
	looked("MetaclassRaises", "class Meta(type):\n    def __getattribute__(cls, name): raise BaseException(name)\n    def __instancecheck__(cls, other): raise BaseException\n    def __repr__(cls): raise BaseException\nclass Hostile(metaclass=Meta): pass"),
	looked("NameOfTheClassIsLong", "Hostile = type('n\\n' * 1_000_000, (), {})"),
	looked("ModuleOfTheClassIsNoString", "class Hostile: pass\nHostile.__module__ = Hostile"),
	looked("StringThatLies", "class Hostile(str):\n    def __len__(self): return 10**18\n    def __str__(self): raise BaseException\n    __repr__ = encode = __getitem__ = __iter__ = __str__"),
	looked("NumberThatLies", "class Hostile(int):\n    def __repr__(self): raise BaseException\n    __str__ = __index__ = __int__ = __float__ = __hash__ = __repr__"),
	looked("ListThatLies", "class Hostile(list):\n    def __len__(self): return 10**18\n    def __iter__(self):\n        while True: yield self"),
	looked("DictionaryThatLies", "class Hostile(dict):\n    def items(self):\n        while True: yield 1, 2\n    keys = values = __iter__ = items"),
	looked("KeysThatRaise", "class Key:\n    def __hash__(self): return 1\n    def __eq__(self, other): raise BaseException\n    def __repr__(self): raise BaseException\ndef Hostile(): return {Key(): 1}"),
	looked("ListInItself", "def Hostile():\n    a = []; b = {'a': a}; a.append(b); return a"),
	looked("NumberOfAMillionDigits", "def Hostile(): return 1 << 4_000_000"),
	looked("NotANumber", "def Hostile(): return [float('nan'), float('inf'), -float('inf')]"),
	looked("MillionElements", "def Hostile(): return list(range(1_000_000))"),
	looked("MillionNested", "def Hostile(): return [[[]] for _ in range(300_000)]"),
	looked("TextOfLoneSurrogates", "def Hostile(): return '\\ud800\\x00\\x1b' * 1000"),
	looked("FormsRaise", "class Hostile:\n    def _repr_html_(self): raise BaseException\n    _repr_png_ = _repr_svg_ = _repr_json_ = _repr_mimebundle_ = _repr_html_"),
	looked("FormsNeverEnd", "class Hostile:\n    def _repr_html_(self):\n        while True: pass\n    _repr_png_ = _repr_svg_ = _repr_json_ = _repr_mimebundle_ = _repr_html_"),
	looked("FormsOfOddTypes", "class Hostile:\n    def _repr_html_(self): return self\n    _repr_png_ = _repr_svg_ = _repr_json_ = _repr_latex_ = _repr_html_"),
	looked("BundleOfOddKeys", "class Hostile:\n    def _repr_mimebundle_(self, **_): return {7: 1, '\\ud800': 'x', 'a/b': self, '': '', 'x' * 100_000: 1}, self"),
	looked("BundleOfManyForms", "class Hostile:\n    def _repr_mimebundle_(self, **_): return {f'a/{n}': 'x' for n in range(50_000)}"),
	looked("FormsOfManyMegabytes", "class Hostile:\n    def _repr_html_(self): return 'h' * 30_000_000\n    def _repr_png_(self): return b'p' * 30_000_000"),
	looked("AnswersToEveryName", "class Hostile:\n    def __getattr__(self, name): return lambda *_, **__: self"),
	looked("PretendsToBeOfALibrary", "class Hostile:\n    __module__ = 'pandas.core.frame'\nsys.modules['pandas'] = Hostile"),
	looked("PretendsToBeNumpy", "class Hostile:\n    def item(self): raise BaseException\nclass numpy:\n    generic = Hostile\nsys.modules['numpy'] = numpy"),
	one("RawDisplayOfOddThings", cell{
		runc: "ok error",
		code: "display({7: 1, '\\ud800': '\\udfff', 'text/plain': object()}, raw=True, metadata={'text/plain': {'\\ud800': float('nan')}})\ndisplay(raw=7)\ndisplay(7, raw=True)",
	}),
	one("VariablesOfOddNames", cell{
		runc: "ok", locals: true,
		code: "globals().update({'\\ud800': 1, '\\udfff': 2, 'n' * 100_000: 3, '': 4, 'a\\x00b': 5})",
	}),
	raises("StrRaises", "class Hostile(Exception):\n    def __str__(self): raise BaseException\nraise Hostile"),
	raises("StrNeverEnds", "class Hostile(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise Hostile"),
	raises("StrIsNoString", "class Hostile(Exception):\n    def __str__(self): return 7\nraise Hostile"),
	raises("StrIsLong", "class Hostile(Exception):\n    def __str__(self): return 's' * 30_000_000\nraise Hostile"),
	raises("ExceptionOfAHostileMetaclass", "class Meta(type):\n    def __getattribute__(cls, name): raise BaseException\nclass Hostile(Exception, metaclass=Meta): pass\nraise Hostile"),
	raises("ExceptionOfAnOddName", "raise type('odd\\n\\x1b', (BaseException,), {})"),
	raises("CauseInACircle", "a, b = ValueError('a'), ValueError('b')\na.__cause__ = b; b.__cause__ = a\nraise a"),
	raises("NotesThatRaise", "class Notes(list):\n    def __iter__(self): raise BaseException\nerror = ValueError()\nerror.__notes__ = Notes([1])\nraise error"),
	raises("NotesOfOddTypes", "error = ValueError()\nerror.__notes__ = [object(), '\\ud800', 'n' * 5_000_000]\nraise error"),
	raises("SyntaxErrorThatLies", "error = SyntaxError('no')\nerror.lineno, error.offset, error.text, error.filename = 10**9, -5, '\\ud800' * 1000, object()\nraise error"),
	raises("SystemExitOfAnObject", "class Code:\n    def __str__(self): raise BaseException\nsys.exit(Code())"),
	raises("GroupThatLies", "class Group(ExceptionGroup):\n    exceptions = property(lambda self: 1 / 0)\nraise Group('g', [ValueError()])"),
	raises("SuggestionsThatRaise", "class Hostile:\n    def __dir__(self): raise BaseException\nHostile().nothing"),
	raises("LineOfMegabytes", "exec('raise ValueError(' + '1,' * 400_000 + ')')").underSentry("error oom crashed lost"),
	raises("TracebackOfManyFrames", "sys.setrecursionlimit(100_000)\ndef f(n):\n    if n: f(n - 1)\n    raise ValueError\nf(50_000)"),
	one("StrThatNeverEnds", cell{
		runc: "timeout killed", timeout: 1, code: "class Hostile(Exception):\n    def __str__(self):\n        while True: pass\nraise Hostile",
	}),
	one("ManyLinesOfCode", cell{runc: "ok", timeout: 10, code: strings.Repeat("x = 1\n", 20_000)}),
}}
