# The SD image of a Raspberry Pi: <host>-sd is <host> with this module.
{ modulesPath, ... }:

{
  imports = [ (modulesPath + "/installer/sd-card/sd-image-aarch64.nix") ];

  # Rescue tools and ZFS are for installers. An image is the host, and nothing else.
  disabledModules = [ (modulesPath + "/profiles/base.nix") ];
}
