import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript6';

/** What the official client's declarations say a value may be, as plain data that is quick to check against. */
export type Shape =
  | { kind: 'anything' }
  | { kind: 'nothing' }
  | { kind: 'null' }
  | { kind: 'string' }
  | { kind: 'decimal' }
  | { kind: 'number' }
  | { kind: 'boolean' }
  | { kind: 'literal'; value: string | number | boolean }
  | { kind: 'list'; of: Shape }
  | { kind: 'union'; of: Shape[] }
  | ObjectShape;

export interface ObjectShape {
  kind: 'object';
  name: string;
  fields: Map<string, { shape: Shape; optional: boolean }>;
  /** What every other field must be; absent when there may be no other. */
  rest?: Shape;
}

const SDK = dirname(fileURLToPath(import.meta.resolve('stripe')));
/** The values of an enum that is open to newer words; the words that the client knows are the ones that count here. */
const OPEN_END = 'OtherString';

/** The declarations of the installed official client, read with the compiler; shapes are derived when first asked for. */
export class SdkTypes {
  readonly #program: ts.Program;
  readonly #checker: ts.TypeChecker;
  readonly #shapes = new Map<ts.Type, Shape>();
  readonly #byObject = new Map<string, ts.Type[]>();

  constructor() {
    const options: ts.CompilerOptions = {
      lib: ['lib.es5.d.ts'],
      types: [],
      skipLibCheck: true,
      strict: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
    };
    const host = ts.createCompilerHost(options);
    host.jsDocParsingMode = ts.JSDocParsingMode.ParseNone;
    this.#program = ts.createProgram({ rootNames: [join(SDK, 'resources.d.ts')], options, host });
    this.#checker = this.#program.getTypeChecker();
    for (const file of this.#program.getSourceFiles()) {
      if (file.fileName.includes('/esm/resources/')) this.#register(file);
    }
  }

  /** The shapes of everything whose `object` is the given word: the object itself, and what is left of a deleted one. */
  objectShapes(word: string): Shape[] {
    return (this.#byObject.get(word) ?? []).map((type) => this.#shapeOf(type));
  }

  /** The shape of a type that a file of the client exports, such as `ApiList` of `lib`. */
  exported(file: string, name: string): Shape {
    const source = this.#program.getSourceFile(join(SDK, `${file}.d.ts`));
    const module = source && this.#checker.getSymbolAtLocation(source);
    const symbol = module && this.#checker.getExportsOfModule(module).find((entry) => entry.name === name);
    if (symbol === undefined) throw new Error(`The client exports no ${name} in ${file}.`);
    return this.#shapeOf(this.#checker.getDeclaredTypeOfSymbol(symbol));
  }

  #register(file: ts.SourceFile): void {
    for (const statement of file.statements) {
      if (!ts.isInterfaceDeclaration(statement)) continue;
      for (const member of statement.members) {
        if (!ts.isPropertySignature(member) || member.name.getText(file) !== 'object') continue;
        const literal =
          member.type !== undefined && ts.isLiteralTypeNode(member.type) ? member.type.literal : undefined;
        if (literal === undefined || !ts.isStringLiteral(literal)) continue;
        const types = this.#byObject.get(literal.text) ?? [];
        types.push(this.#checker.getTypeAtLocation(statement));
        this.#byObject.set(literal.text, types);
      }
    }
  }

  #shapeOf(type: ts.Type): Shape {
    const known = this.#shapes.get(type);
    if (known !== undefined) return known;
    if (type.isUnion()) return this.#unionShape(type);
    const shape = this.#simpleShape(type);
    if (shape !== undefined) return shape;
    return this.#objectShape(type);
  }

  #simpleShape(type: ts.Type): Shape | undefined {
    const { flags } = type;
    if (type.aliasSymbol?.name === OPEN_END) return { kind: 'string' };
    if (type.aliasSymbol?.name === 'Decimal') return { kind: 'decimal' };
    if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.TypeParameter)) return { kind: 'anything' };
    if (flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void | ts.TypeFlags.Never)) return { kind: 'nothing' };
    if (flags & ts.TypeFlags.Null) return { kind: 'null' };
    if (type.isStringLiteral() || type.isNumberLiteral()) return { kind: 'literal', value: type.value };
    if (flags & ts.TypeFlags.BooleanLiteral) {
      return { kind: 'literal', value: this.#checker.typeToString(type) === 'true' };
    }
    if (flags & ts.TypeFlags.StringLike) return { kind: 'string' };
    if (flags & ts.TypeFlags.NumberLike) return { kind: 'number' };
    if (flags & ts.TypeFlags.BooleanLike) return { kind: 'boolean' };
    if (this.#checker.isArrayType(type)) {
      const [element] = this.#checker.getTypeArguments(type as ts.TypeReference);
      return { kind: 'list', of: element === undefined ? { kind: 'anything' } : this.#shapeOf(element) };
    }
    return undefined;
  }

  #unionShape(type: ts.UnionType): Shape {
    const words = type.types.some((member) => member.isStringLiteral());
    const shape: Shape = { kind: 'union', of: [] };
    this.#shapes.set(type, shape);
    const members = type.types.filter((member) => !(words && member.aliasSymbol?.name === OPEN_END));
    shape.of.push(...members.map((member) => this.#shapeOf(member)));
    return shape;
  }

  #objectShape(type: ts.Type): Shape {
    const shape: ObjectShape = { kind: 'object', name: this.#checker.typeToString(type), fields: new Map() };
    // Kept before its fields are looked at: objects refer to each other in circles.
    this.#shapes.set(type, shape);
    for (const property of this.#checker.getPropertiesOfType(type)) {
      const self = this;
      const declared = this.#checker.getTypeOfSymbol(property);
      const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
      shape.fields.set(property.name, {
        // Derived when it is first needed, so that a walk pays for what it meets.
        get shape(): Shape {
          const value = self.#shapeOf(optional ? self.#checker.getNonNullableType(declared) : declared);
          const nullable = optional && declared.isUnion() && declared.types.some((t) => t.flags & ts.TypeFlags.Null);
          const whole: Shape = nullable ? { kind: 'union', of: [value, { kind: 'null' }] } : value;
          Object.defineProperty(this, 'shape', { value: whole });
          return whole;
        },
        optional,
      });
    }
    const rest = this.#checker.getIndexTypeOfType(type, ts.IndexKind.String);
    if (rest !== undefined) shape.rest = this.#shapeOf(rest);
    return shape;
  }
}
