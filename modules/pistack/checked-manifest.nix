# A manifest that was checked while the system was built: whether every secret's file is there and
# carries the host, name and version that the manifest says. The build fails where one does not.
#
# pisec itself is the builder, so this needs neither nixpkgs nor a shell. It opens nothing: no key is
# there while a system is built.
#
#   manifest  the unchecked manifest, a file in the store
#   pisec     the program that checks, for a machine of this system
#   system    of the machine that builds
{
  manifest,
  pisec,
  system,
}:

derivation {
  name = "pistack-manifest.json";
  inherit system;
  builder = pisec;
  args = [
    "install"
    "--check"
    "--output"
    (builtins.placeholder "out")
    "${manifest}"
  ];
  preferLocalBuild = true;
  allowSubstitutes = false;
}
