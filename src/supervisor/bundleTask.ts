/** What the process that bundles is told, and says. */

export interface Task {
  /** The path of the module of the deployment. */
  readonly module: string
  /** Those of the entries `exports` and `imports` of a package.json that hold. */
  readonly conditions: Array<string>
  /** Where the program is written, with what it may import later. */
  readonly folder: string
}

/** The file of the program. */
export const programFile = "replica.mjs"

/** What it exits with; what is wrong stands on its standard error. */
export const codes = { done: 0, failed: 1, noBundler: 2 }
