/** The schemas of an OpenAPI document: those with names are components, and are there once. */
import { JsonSchema, Schema, SchemaAST, SchemaRepresentation } from "effect"
import * as TensorField from "./tensorField.ts"

/** A part of a JSON document. */
export type Json = { readonly [key: string]: unknown }

/** Collects the schemas of a document. What `add` gives is filled in by `compile`, when all of them are known. */
export class Components {
  readonly #added: Array<{ readonly ast: SchemaAST.AST; readonly target: Record<string, unknown> }> = []

  /** The JSON form of a schema. */
  add(ast: SchemaAST.AST): Json {
    // What travels is plain; nothing of its schema needs services.
    const schema = Schema.make<Schema.Codec<unknown, unknown>>(describeTensors(SchemaAST.toEncoded(ast)))
    const target: Record<string, unknown> = {}
    this.#added.push({ ast: SchemaAST.toEncoded(Schema.toCodecJson(schema).ast), target })
    return target
  }

  /** The components by name. */
  compile(): Json {
    const [first, ...others] = this.#added.map(({ ast }) => ast)
    if (first === undefined) return {}
    const document = SchemaRepresentation.toRepresentations([first, ...others])
    const { definitions, schemas } = JsonSchema.toMultiDocumentOpenApi3_1(
      SchemaRepresentation.toJsonSchemaMultiDocument(document)
    )
    this.#added.forEach(({ target }, index) => Object.assign(target, schemas[index]))
    return definitions
  }
}

/** What a schema says about itself, beside its type. */
export const annotationsOf = (ast: SchemaAST.AST): Json => SchemaAST.resolve(ast) ?? {}

/** The JSON form of a tensor says nothing of its dtype and its sizes, so another schema is put in its place. */
const describeTensors = (ast: SchemaAST.AST): SchemaAST.AST => {
  const tensor = TensorField.describe(ast)
  if (tensor !== undefined) return described(tensor).ast
  switch (ast._tag) {
    case "Arrays":
      return copy(ast, { elements: ast.elements.map(describeTensors), rest: ast.rest.map(describeTensors) })
    case "Objects":
      return copy(ast, {
        propertySignatures: ast.propertySignatures.map(({ name, type }) =>
          new SchemaAST.PropertySignature(name, describeTensors(type))
        ),
        indexSignatures: ast.indexSignatures.map(({ parameter, type }) =>
          new SchemaAST.IndexSignature(parameter, describeTensors(type))
        )
      })
    case "Union":
      return copy(ast, { types: ast.types.map(describeTensors) })
    default:
      return ast
  }
}

/** A node keeps its prototype and all else that it has. */
const copy = <A extends SchemaAST.AST>(ast: A, fields: Partial<A>): A =>
  Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, fields)

const described = ({ dimensions, dtype }: TensorField.Description) =>
  Schema.Struct({
    dtype: Schema.Literal(dtype),
    shape: Schema.Tuple(dimensions.map((dimension) =>
      typeof dimension === "number"
        ? Schema.Literal(dimension)
        : Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description: dimension })
    )),
    data: Schema.String.annotate({
      contentEncoding: "base64",
      description: "The elements in row-major order, little-endian, in base64."
    })
  }).annotate({ description: `A tensor ${dtype}[${dimensions.join(", ")}].` })
