// Mutants of a source file: for each expression that could have been written otherwise, the otherwise. All are put into the file at once,
// each behind a switch (`globalThis.lblabMutant === ID`), so that it is compiled and loaded one time only.
import ts from 'typescript';

const SWAPS = new Map([
  ['===', ['!==']],
  ['!==', ['===']],
  ['<', ['<=', '>']],
  ['<=', ['<', '>']],
  ['>', ['>=', '<']],
  ['>=', ['>', '<']],
  ['&&', ['||']],
  ['||', ['&&']],
  ['??', ['&&']],
  ['+', ['-']],
  ['-', ['+']],
  ['*', ['/']],
  ['/', ['*']],
  ['%', ['*']],
]);
const METHODS = new Map([
  ['some', 'every'],
  ['every', 'some'],
  ['filter', ''],
  ['sort', ''],
  ['slice', ''],
  ['reverse', ''],
  ['max', 'min'],
  ['min', 'max'],
  ['startsWith', 'endsWith'],
  ['toLowerCase', 'toUpperCase'],
]);

/** Whether a node is code that runs, not a type, a name or what is declared. */
const isType = (node) =>
  ts.isTypeNode(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isImportDeclaration(node);

const isSign = (node) => ['1', '-1'].includes(node.getText());

/**
 * Whether one more than a number is another program, and not one that is tried already: for whole numbers `x < N + 1` is `x <= N`, and of what
 * orders two things only the sign counts.
 */
function isNumberToChange(node) {
  const { parent } = node;
  if (ts.isPropertyAssignment(parent) || ts.isLiteralTypeNode(parent)) return false;
  if (ts.isBinaryExpression(parent) && ['<', '>='].includes(parent.operatorToken.getText())) return false;
  const side = ts.isPrefixUnaryExpression(parent) ? parent : node;
  const choice = side.parent;
  return !(ts.isConditionalExpression(choice) && isSign(choice.whenTrue) && isSign(choice.whenFalse));
}

/** The name of the outermost function or constant that a node is in. */
function placeOf(node) {
  let name = 'the file';
  for (let at = node; at !== undefined; at = at.parent)
    if ((ts.isFunctionDeclaration(at) || ts.isVariableDeclaration(at)) && at.name !== undefined)
      name = at.name.getText();
  return name;
}

/**
 * @param {string} file
 * @param {string} text
 * @param {number} first the number of the first mutant
 * @returns {{ text: string, mutants: { id: number, file: string, line: number, key: string }[] }}
 */
export function mutate(file, text, first) {
  const source = ts.createSourceFile(
    file,
    text,
    ts.ScriptTarget.Latest,
    true,
    file.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS,
  );
  const mutants = [];
  const add = (node, was, is) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    mutants.push({
      id: first + mutants.length,
      file,
      line: line + 1,
      key: `${file} in ${placeOf(node)}: ${was}: ${is}`,
    });
    return mutants.at(-1).id;
  };
  const chosen = (id, other, self) => `(globalThis.lblabMutant===${id}?(${other}):${self})`;
  const short = (node) => node.getText().replace(/\s+/g, ' ').slice(0, 70);

  /** A node's text with all that is inside it mutated. */
  function inner(node) {
    let out = '';
    let at = node.getStart();
    // What TypeScript parses as one child after the other; types are left as they are.
    node.forEachChild((child) => {
      const begin = child.getStart();
      if (begin < at) return;
      out += text.slice(at, begin) + visit(child);
      at = child.getEnd();
    });
    return out + text.slice(at, node.getEnd());
  }

  function visit(node) {
    if (isType(node)) return node.getText();
    if (ts.isIfStatement(node)) return branch(node);
    let self = inner(node);
    if (ts.isBinaryExpression(node)) {
      const operator = node.operatorToken.getText();
      // Text is joined with +, and a difference of texts is no other program but a broken one.
      const isText = /['"`]/.test(node.getText()) && operator === '+';
      for (const other of isText ? [] : (SWAPS.get(operator) ?? [])) {
        const left = node.left.getText();
        const right = node.right.getText();
        // The sides keep their types' casts; a mix of ?? and && wants parentheses.
        self = chosen(
          add(node, short(node), `${operator} becomes ${other}`),
          `(${left}) ${other} (${right})`,
          `(${self})`,
        );
      }
    } else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      self = chosen(add(node, short(node), 'without the !'), node.operand.getText(), `(${self})`);
    } else if (ts.isConditionalExpression(node)) {
      for (const [words, part] of [
        ['always the first', node.whenTrue],
        ['always the second', node.whenFalse],
      ])
        self = chosen(add(node, short(node), words), part.getText(), `(${self})`);
    } else if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) {
      if (!ts.isLiteralTypeNode(node.parent) && !ts.isAsExpression(node.parent)) {
        const other = node.kind === ts.SyntaxKind.TrueKeyword ? 'false' : 'true';
        self = chosen(add(node, short(node.parent), `${self} becomes ${other}`), other, self);
      }
    } else if (ts.isNumericLiteral(node) && isNumberToChange(node)) {
      self = chosen(add(node, short(node.parent), `${self} becomes ${self} + 1`), `${self} + 1`, self);
    } else if (
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      (node.flags & ts.NodeFlags.OptionalChain) === 0
    ) {
      const name = node.expression.name.text;
      const other = METHODS.get(name);
      if (other !== undefined) {
        const object = node.expression.expression.getText();
        const tail = text.slice(node.expression.name.getEnd(), node.getEnd());
        self = chosen(
          add(node, short(node), other === '' ? `without .${name}` : `.${name} becomes .${other}`),
          other === '' ? object : `${object}.${other}${tail}`,
          `(${self})`,
        );
      }
    } else if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
      const id = add(node, short(node), 'left out');
      // In braces: an `else` may follow.
      self = `{if (globalThis.lblabMutant!==${id}) ${self}}`;
    }
    return self;
  }

  /** An `if`, which a mutant of its own never enters. */
  function branch(node) {
    const id = add(node, `if (${short(node.expression)})`, 'never');
    const otherwise = node.elseStatement === undefined ? '' : ` else ${visit(node.elseStatement)}`;
    return `if (globalThis.lblabMutant!==${id}&&(${visit(node.expression)})) {${visit(node.thenStatement)}}${otherwise}`;
  }

  const body = inner(source);
  return { text: body, mutants };
}
