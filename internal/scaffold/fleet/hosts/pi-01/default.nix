{ lib, ... }:

{
  imports = lib.optional (builtins.pathExists ./generated) ./generated;

  # The release that first ran on this host. It stays when the host moves on.
  system.stateVersion = "26.05";
}
