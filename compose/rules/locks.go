package rules

import (
	"pistack/compose"
	"pistack/compose/images"
)

// locks explains what package images finds when it compares a stack with its
// lock file.
func locks() []Rule {
	return []Rule{
		{
			Code: images.CodeUnlocked, Severity: compose.Warning,
			Summary: "an image has no digest in images.lock",
			Why:     `A tag can be moved: two hosts, or one host before and after it was set up anew, would run different images, and no diff would show it.`,
			Fix:     `Ask the registry once, and commit the file.`,
			Example: `pistack lock chat && git add stacks/chat/images.lock`,
		},
		{
			Code: images.CodePlatform, Severity: compose.Error,
			Summary: "an image does not exist for the host's platform",
			Why:     `The container would end with "exec format error", or not be pulled at all.`,
			Fix:     `Use an image or a tag that has the platform. platform: at the service takes another one on purpose, such as linux/arm/v7 on an arm64 board.`,
		},
		{
			Code: images.CodeConflict, Severity: compose.Error, Fixed: true,
			Summary: "a Compose file and images.lock name different digests of one image",
			Why:     `One of the two was changed alone, and it cannot be told which one is meant.`,
			Fix:     `pistack lock --update takes the one in the Compose file.`,
		},
		{
			Code: images.CodeUnbuilt, Severity: compose.Error, Fixed: true,
			Summary: "a service is built, and images.lock has no image of it for the host",
			Why:     `A device builds nothing: it runs the image that was built once, on a machine that can, for its platform. Without one there is nothing to run.`,
			Fix:     `Build and push it, and commit images.lock.`,
			Example: `pistack build chat --push && git add stacks/chat/images.lock`,
		},
		{
			Code: images.CodeStale, Severity: compose.Error, Fixed: true,
			Summary: "the files of a built image are not those that it was built from",
			Why:     `What is reviewed would not be what runs: a deploy would bring the image that is locked.`,
			Fix:     `Build it again; what did not change is not built.`,
			Example: `pistack build chat --push && git add stacks/chat/images.lock`,
		},
		{
			Code: images.CodeUnbuildable, Severity: compose.Error, Fixed: true,
			Summary: "a build section says what pistack cannot build, or cannot build twice the same",
			Why:     `A context from elsewhere can change at any time, and so can files that only one machine has. What is built from them could not be told by its hash.`,
			Fix:     `The hint says how to write it instead.`,
		},
		{
			Code: images.CodeUnused, Severity: compose.Warning,
			Summary: "images.lock has an image that no service uses",
			Why:     `A reviewer reads what does not run.`,
			Fix:     `pistack lock drops it.`,
		},
		{
			Code: images.CodeInvalid, Severity: compose.Error, Fixed: true,
			Summary: "images.lock cannot be read",
			Why:     `It was edited by hand, is the rest of a merge, or is of a newer pistack. It is never overwritten in that state.`,
			Fix:     `Take it from Git again, or remove it and run pistack lock.`,
		},
	}
}
