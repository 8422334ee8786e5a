/** Reads `chorale.yaml`, and says of everything that is wrong with it where it is and what was meant. */
import { Array as Arrays, Result, Schema, SchemaAST, SchemaIssue } from "effect"
import * as Yaml from "yaml"
import { choose, type Configuration, File, units } from "./configuration.ts"
import { DeploymentInvalid, type Problem } from "./DeploymentInvalid.ts"
import { nearest } from "./nearest.ts"

/**
 * What is known of a configuration file besides its text.
 *
 * @category models
 * @since 0.2.0
 */
export interface FileOptions {
  /** What problems call the file: `chorale.yaml`. */
  readonly file?: string
  /** The profile that is put over the rest. */
  readonly profile?: string
  /** The names that units may have: those of the deployment. */
  readonly units?: ReadonlyArray<string>
}

/**
 * Reads the text of `chorale.yaml`; all that is wrong comes in one failure, each with its line and column.
 *
 * Keys that are not known are refused, and so are numbers without the unit that they need.
 *
 * **Example** (A key that does not exist)
 *
 * ```ts
 * import { Deployment } from "chorale"
 *
 * export const result = Deployment.parseConfiguration("units:\n  reader:\n    replica: 2\n")
 * // chorale.yaml:3:5 units.reader.replica: there is no such key. Did you mean replicas?
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const parseConfiguration = (
  text: string,
  { file = "chorale.yaml", profile, units }: FileOptions = {}
): Result.Result<Configuration, DeploymentInvalid> => {
  const lines = new Yaml.LineCounter()
  const document = Yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "silent" })
  const at = (offset: number) => {
    const { col, line } = lines.linePos(offset)
    return { file, line, column: col }
  }
  const refuse = (problems: Arrays.NonEmptyReadonlyArray<Problem>) =>
    Result.fail(new DeploymentInvalid({ deployment: file, problems: inOrder(problems) }))

  const broken = document.errors.map((error): Problem => ({
    path: "yaml",
    detail: error.message,
    advice: "Correct the YAML.",
    ...at(error.pos[0])
  }))
  if (Arrays.isReadonlyArrayNonEmpty(broken)) return refuse(broken)

  const values = Result.try((): unknown => document.toJS({ maxAliasCount: 100 }) ?? {})
  if (Result.isFailure(values)) {
    return refuse([{ path: "yaml", detail: String(values.failure), advice: "Leave out its aliases.", ...at(0) }])
  }
  const place = (path: ReadonlyArray<string>, of: "key" | "value") => at(offsetOf(document, path, of))
  const decoded = decode(values.success)
  const problems = [
    ...Result.isFailure(decoded) ? problemsOf(decoded.failure, values.success, place) : [],
    ...unknownNames(values.success, { profile, units }, place)
  ]
  if (Arrays.isReadonlyArrayNonEmpty(problems)) return refuse(problems)
  return Result.map(Result.mapError(decoded, unreachable), (contents) => choose(contents, profile))
}

const inOrder = (problems: Arrays.NonEmptyReadonlyArray<Problem>): Arrays.NonEmptyReadonlyArray<Problem> =>
  Arrays.sortWith(problems, ({ column = 0, line = 0 }) => line * 1e6 + column, (a, b) => a < b ? -1 : a > b ? 1 : 0)

const decode = Schema.decodeUnknownResult(File, { errors: "all", onExcessProperty: "error" })

const unreachable = (error: unknown): never => {
  throw new Error("a failure to decode has problems", { cause: error })
}

type Place = (path: ReadonlyArray<string>, of: "key" | "value") => Pick<Problem, "file" | "line" | "column">

const toIssues = SchemaIssue.makeFormatterStandardSchemaV1()

const problemsOf = (error: Schema.SchemaError, values: unknown, place: Place): ReadonlyArray<Problem> =>
  toIssues(error.issue).issues.map((issue) => {
    const path = (issue.path ?? []).map((key) => String(typeof key === "object" ? key.key : key))
    const last = path.at(-1)
    const parent = schemaAt(path.slice(0, -1))
    if (last !== undefined && parent !== undefined && parent.keys.length > 0 && !parent.keys.includes(last)) {
      return unknownKey(path, parent.keys, place(path, "key"))
    }
    const found = schemaAt(path)
    const value = valueAt(values, path)
    return {
      path: path.length === 0 ? "the file" : path.join("."),
      detail: value === null ? "it is empty" : `${JSON.stringify(value)} does not fit`,
      advice: `${suggest(value, found)}It takes ${found?.description ?? expected(issue.message, found)}.`,
      ...place(path, "value")
    }
  })

const unknownKey = (path: ReadonlyArray<string>, keys: ReadonlyArray<string>, where: ReturnType<Place>): Problem => {
  const meant = nearest(path.at(-1) ?? "", keys)
  return {
    path: path.join("."),
    detail: "there is no such key",
    advice: meant === undefined ? `There are ${keys.join(", ")}.` : `Did you mean ${meant}?`,
    ...where
  }
}

const expected = (message: string, found: Found | undefined): string =>
  found !== undefined && found.keys.length > 0
    ? `the keys ${found.keys.join(", ")}`
    : message.replace(/^Expected (object|array)$/, (_, kind) => kind === "array" ? "a list" : "keys and values")
      .replace(/^Expected /, "")

/** What a schema says about the value at a path. */
interface Found {
  readonly keys: ReadonlyArray<string>
  readonly literals: ReadonlyArray<string>
  readonly description: string | undefined
}

const schemaAt = (path: ReadonlyArray<string>): Found | undefined => {
  let ast: SchemaAST.AST | undefined = File.ast
  for (const key of path) {
    if (ast?._tag === "Arrays") ast = ast.rest[0]
    else if (ast?._tag !== "Objects") return undefined
    else ast = ast.propertySignatures.find(({ name }) => name === key)?.type ?? ast.indexSignatures[0]?.type
  }
  if (ast === undefined) return undefined
  return {
    keys: ast._tag === "Objects" ? ast.propertySignatures.map(({ name }) => String(name)) : [],
    literals: ast._tag === "Union"
      ? ast.types.flatMap((type) => type._tag === "Literal" ? [String(type.literal)] : [])
      : [],
    description: path.length === 0 ? undefined : SchemaAST.resolveDescription(ast)
  }
}

const valueAt = (values: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined,
    values
  )

/** A word that was nearly one that fits, or a number whose unit has another name. */
const suggest = (value: unknown, found: Found | undefined): string => {
  if (typeof value !== "string") return ""
  const literal = nearest(value, found?.literals ?? [])
  if (literal !== undefined) return `Did you mean ${literal}? `
  const [, amount, unit = ""] = /^\s*([0-9]+(?:[.][0-9]+)?)\s*([A-Za-z]+)\s*$/.exec(value) ?? []
  const described = found?.description ?? ""
  const fitting = units.filter((unit) => described.includes("time") === /^[a-z]/.test(unit))
  const meant = abbreviations[unit] ?? fitting.find((name) => name.toLowerCase().startsWith(unit.toLowerCase()))
  return amount === undefined || meant === undefined || !described.includes("unit")
    ? ""
    : `Did you mean ${amount} ${meant}? `
}

const abbreviations: Readonly<Record<string, string>> = { ms: "millis", msec: "millis", m: "minutes", b: "B" }

/** Units that the deployment does not have, and a profile that the file does not have. */
const unknownNames = (
  values: unknown,
  { profile, units }: Pick<FileOptions, never> & {
    readonly profile: string | undefined
    readonly units: ReadonlyArray<string> | undefined
  },
  place: Place
): ReadonlyArray<Problem> => {
  const profiles = namesAt(values, ["profiles"])
  const places = [["units"], ...profiles.map((profile) => ["profiles", profile, "units"])]
  const strangers = units === undefined ?
    [] :
    places.flatMap((path) =>
      namesAt(values, path).filter((name) => !units.includes(name)).map((name) => [...path, name])
    )
  return [
    ...strangers.map((path) => ({
      ...unknownKey(path, units ?? [], place(path, "key")),
      detail: "the deployment has no such unit"
    })),
    ...(profile === undefined || profiles.includes(profile) ? [] : [{
      ...unknownKey(["profiles", profile], profiles, place(["profiles"], "key")),
      detail: "there is no such profile",
      ...(profiles.length === 0 ? { advice: "The file has no profiles: choose none, or add it." } : {})
    }])
  ]
}

const namesAt = (values: unknown, path: ReadonlyArray<string>): ReadonlyArray<string> => {
  const value = valueAt(values, path)
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : []
}

/** Where the key or the value of a path begins, or of what is nearest above it. */
const offsetOf = (document: Yaml.Document.Parsed, path: ReadonlyArray<string>, of: "key" | "value"): number => {
  const start = (node: unknown) => Yaml.isNode(node) ? node.range?.[0] : undefined
  let node: unknown = document.contents
  let offset = start(node) ?? 0
  for (const [index, key] of path.entries()) {
    const resolved = Yaml.isAlias(node) ? node.resolve(document) : node
    const pair = Yaml.isMap(resolved)
      ? resolved.items.find(({ key: candidate }) =>
        String(Yaml.isScalar(candidate) ? candidate.value : candidate) === key
      )
      : undefined
    const item = Yaml.isSeq(resolved) ? resolved.items[Number(key)] : pair?.value
    if (pair === undefined && item === undefined) return offset
    const wantsKey = of === "key" && index === path.length - 1
    // An empty value stands nowhere: its key is what the reader finds.
    offset = (wantsKey || isEmpty(item) ? start(pair?.key) : start(item)) ?? start(pair?.key) ?? offset
    node = item
  }
  return offset
}

const isEmpty = (node: unknown): boolean =>
  node === null || node === undefined || (Yaml.isScalar(node) && (node.source ?? "") === "" && node.value === null)
