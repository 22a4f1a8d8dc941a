# A virtual or real x86_64 machine that boots by BIOS from its first disk, as most VPS do.
{
  lib,
  modulesPath,
  pkgs,
  ...
}:

{
  imports = [ (modulesPath + "/profiles/qemu-guest.nix") ];

  assertions = [
    {
      assertion = pkgs.stdenv.hostPlatform.isx86_64;
      message = ''
        the board is generic-x86_64, and the host is ${pkgs.stdenv.hostPlatform.system}: set system = "x86_64-linux" in host.toml, or another board.
      '';
    }
  ];

  boot.loader.grub = {
    enable = lib.mkDefault true;
    device = lib.mkDefault "/dev/vda";
    configurationLimit = lib.mkDefault 10;
  };

  boot.initrd.availableKernelModules = [
    "ahci"
    "nvme"
    "sd_mod"
    "xhci_pci"
  ];

  fileSystems."/" = {
    device = lib.mkDefault "/dev/disk/by-label/NIXOS_SD";
    fsType = lib.mkDefault "ext4";
  };
}
