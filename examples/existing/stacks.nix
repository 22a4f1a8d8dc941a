# What a fleet would have generated: the stacks of this machine, by hand.
#
# A secret is { file = ./NAME.age; version = "…"; } below pistack.secrets: `pisec add` writes such
# files, and `pisec list` shows their versions.
{
  pistack = {
    enable = true;
    stacks.hello = {
      composeFiles = [ "compose.yaml" ];
      files."compose.yaml" = ./compose.yaml;
      images = [ "nginx:1.29.3-alpine" ];
    };
  };
}
