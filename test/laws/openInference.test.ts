import { holdToLaws } from "./holdToLaws.ts"
import { openInference } from "./remotes.ts"

holdToLaws("a server of the Open Inference Protocol", openInference)
