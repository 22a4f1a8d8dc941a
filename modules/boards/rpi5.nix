# Raspberry Pi 5 and Compute Module 5. nixpkgs has no kernel for them: nixos-hardware's is the
# vendor's, which no public cache holds, so the first build takes hours unless a cache of your own
# has it.
{ lib, nixos-hardware, ... }:

{
  imports = [
    ../hardware/raspberry-pi.nix
    "${nixos-hardware}/raspberry-pi/5"
  ];

  hardware.raspberry-pi.firmware.uboot.enable = lib.mkDefault true;

  # The image modules ask for every driver of nixpkgs' kernel in the initrd; the vendor's lacks many.
  hardware.enableAllHardware = lib.mkForce false;
}
