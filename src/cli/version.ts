/** The version of this package. */
import { readFileSync } from "node:fs"

const read = (): string => {
  const contents: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  return typeof contents === "object" && contents !== null && "version" in contents ? String(contents.version) : ""
}

export const version: string = read()
