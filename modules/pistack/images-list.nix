# The text of /etc/pistack/images: STACK, a tab, and the reference of an image that the stack runs, a
# line each, sorted. Whoever brings images to a device or takes them away reads it, of this system
# or of another one: <system>/etc/pistack/images.
#
# A pure function of option values, as manifest.nix is.
#
#   stacks   as in the option pistack.stacks; only images is read
{
  stacks ? { },
}:

let
  linesOf = stack: map (image: "${stack}\t${image}\n") (stacks.${stack}.images or [ ]);

  lines = builtins.concatMap linesOf (builtins.attrNames stacks);

  # Without those that stand there twice.
  unique = builtins.attrNames (
    builtins.listToAttrs (
      map (line: {
        name = line;
        value = null;
      }) lines
    )
  );
in
builtins.concatStringsSep "" unique
