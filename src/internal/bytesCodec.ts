/**
 * The JSON form of a schema with its bytes left as bytes.
 *
 * `Schema.toCodecJson` turns every `Uint8Array` into base64. Here it stays, so that a frame can carry it as it is. The
 * tensor around it is one leaf of the schema: its fields are looked at once, by the schema of the tensor. Between threads,
 * which clone any typed array, a tensor stays as it is too.
 */
import { Equal, Schema, SchemaAST } from "effect"
import type { RpcSerialization } from "effect/rpc"

/** Whether a schema node is `Schema.Uint8Array`, with or without checks. */
export const isBytes = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isDeclaration(ast) && Equal.equals(ast.annotations?.["representation"], bytesRepresentation)

const bytesRepresentation = Schema.Uint8Array.ast.annotations?.["representation"]

const isTensor = (ast: SchemaAST.AST): boolean => {
  const representation = ast.annotations?.["representation"]
  return typeof representation === "object" && representation !== null && "id" in representation &&
    representation.id === "chorale/Tensor"
}

/** A tensor as it travels. */
interface RawTensor {
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly data: Uint8Array
}

const isRawTensor = (u: unknown): u is RawTensor =>
  typeof u === "object" && u !== null && "dtype" in u && typeof u.dtype === "string" && "shape" in u &&
  Array.isArray(u.shape) && u.shape.every((size) => typeof size === "number") &&
  "data" in u && u.data instanceof Uint8Array

const rawTensor = Schema.declare(isRawTensor, { expected: "a tensor of bytes" }).ast

/** Like `Schema.toCodecJson`, but what `isLeaf` says is encoded as itself, at any depth. */
const keeping = (isLeaf: (ast: SchemaAST.AST) => boolean): RpcSerialization.CodecFor => {
  const kept = new WeakMap<SchemaAST.AST, SchemaAST.AST>()

  const keep = (ast: SchemaAST.AST): SchemaAST.AST => {
    const known = kept.get(ast)
    if (known !== undefined) return known
    const result = isLeaf(ast)
      ? withoutEncoding(ast)
      : ast.encoding === undefined
      ? body(ast)
      : lastLink(ast, ast.encoding)
    kept.set(ast, result)
    return result
  }

  /** What is encoded further is encoded by its last link; the node itself is the decoded side. */
  const lastLink = (ast: SchemaAST.AST, encoding: SchemaAST.Encoding): SchemaAST.AST => {
    const [first, ...others] = encoding
    const last = others.at(-1) ?? first
    const to = isTensor(ast) ? rawTensor : keep(last.to)
    if (to === last.to) return ast
    const link = new SchemaAST.Link(to, last.transformation)
    return withEncoding(ast, others.length === 0 ? [link] : [first, ...others.slice(0, -1), link])
  }

  const body = (ast: SchemaAST.AST): SchemaAST.AST => {
    switch (ast._tag) {
      case "Arrays": {
        const { annotations, checks, context, elements, encoding, encodingChecks, isMutable, rest } = ast
        return new SchemaAST.Arrays(
          isMutable,
          elements.map(keep),
          rest.map(keep),
          annotations,
          checks,
          encoding,
          context,
          encodingChecks
        )
      }
      case "Objects": {
        const { annotations, checks, context, encoding, encodingChecks, indexSignatures, propertySignatures } = ast
        return new SchemaAST.Objects(
          propertySignatures.map(({ name, type }) => new SchemaAST.PropertySignature(name, keep(type))),
          indexSignatures.map(({ parameter, type }) => new SchemaAST.IndexSignature(parameter, keep(type))),
          annotations,
          checks,
          encoding,
          context,
          encodingChecks
        )
      }
      case "Union": {
        const { annotations, checks, context, encoding, encodingChecks, options, types } = ast
        return new SchemaAST.Union(types.map(keep), options, annotations, checks, encoding, context, encodingChecks)
      }
      case "Suspend":
        return new SchemaAST.Suspend(
          () => keep(ast.thunk()),
          ast.annotations,
          ast.checks,
          ast.encoding,
          ast.context
        )
      default:
        return ast
    }
  }

  return <S extends Schema.Top>(schema: S) =>
    // Only where leaves stay does the encoded form differ from that of `toCodecJson`; the decoded type is the same.
    Schema.make<Schema.Codec<S["Type"], unknown, S["DecodingServices"], S["EncodingServices"]>>(
      keep(Schema.toCodecJson(schema).ast)
    )
}

const withoutEncoding = (ast: SchemaAST.AST): SchemaAST.AST =>
  ast.encoding === undefined ? ast : withEncoding(ast, undefined)

/** A node keeps its prototype and all else that it has: the constructors of nodes differ, their encodings do not. */
const withEncoding = <A extends SchemaAST.AST>(ast: A, encoding: SchemaAST.Encoding | undefined): A =>
  Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, { encoding })

/** The codec of what travels in frames: a `Uint8Array` at any depth is encoded as itself. */
export const codecFor: RpcSerialization.CodecFor = keeping(isBytes)

/** The codec of what is cloned for another thread: so is a tensor. */
export const codecForClones: RpcSerialization.CodecFor = keeping((ast) => isBytes(ast) || isTensor(ast))
